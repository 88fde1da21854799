"""Define stacked models, which train many small models as one."""
