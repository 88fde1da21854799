# docker build -t causal-ivae .                            CPU
# docker build -t causal-ivae --build-arg TORCH=cu130 .    CUDA
# docker run --rm --user "$(id -u):$(id -g)" -v STUDY:/data:ro -v RESULTS:/out causal-ivae \
#   run /data /out participant group --task rest --atlas aal2
FROM python:3.12-slim
ARG TORCH=cpu
# Training spends most of its time returning memory to the system without the first; the others
# keep whoever runs it, with a home or without one, from writing beside the results.
ENV MALLOC_TRIM_THRESHOLD_=1073741824 \
    HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib
COPY . /opt/causal-ivae
WORKDIR /opt/causal-ivae
RUN python -m pip install --no-cache-dir uv
RUN uv pip install --system --no-cache --torch-backend ${TORCH} --constraint constraints.txt '.[atlases,cluster,hdf5,segments,skeleton]'
RUN causal-ivae atlas list
WORKDIR /tmp
ENTRYPOINT ["causal-ivae"]
