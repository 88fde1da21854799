import http.client
import threading

import pytest

from causal_ivae.cli import main
from causal_ivae.commands.view import open_server


@pytest.fixture
def server(tmp_path):
    (tmp_path / "index.html").write_text("<p>all subjects</p>", encoding="utf-8")
    (tmp_path / "sub-01").mkdir()
    server, address = open_server(tmp_path)
    server.secret = "/" + address.rstrip("/").rpartition("/")[2]
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server, method, path, host=None):
    """Ask for a path below the secret one."""
    return ask_for(server, method, server.secret + path, host)


def ask_for(server, method, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    headers = {} if host is None else {"Host": host}
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    status, body = answer.status, answer.read()
    connection.close()
    return status, body


def test_the_index_is_served_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "GET", "/") == (200, b"<p>all subjects</p>")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(server, method):
    assert ask(server, method, "/index.html")[0] == 501


def test_folders_are_not_listed_and_nothing_outside_is_served(server):
    assert ask(server, "GET", "/sub-01/")[0] == 404
    assert ask(server, "GET", "/../../etc/hostname")[0] == 404


def test_another_name_for_this_machine_is_refused(server):
    assert ask(server, "GET", "/", host="elsewhere.example:80")[0] == 403


def test_a_folder_without_an_index_is_one_clear_line(tmp_path, capsys):
    assert main(["view", str(tmp_path), "--no-browser"]) == 2
    message = capsys.readouterr().err
    assert "has no index.html" in message
    assert "--reports-only" in message


def test_port_80_is_not_in_the_name_of_the_host(server):
    assert ask(server, "GET", "/", host="127.0.0.1")[0] == 200
    assert ask(server, "GET", "/", host="localhost")[0] == 200


@pytest.mark.parametrize("path", ["/", "/index.html", "/x/index.html", "//index.html", "x"])
def test_other_people_of_this_machine_do_not_know_the_address(server, path):
    assert ask_for(server, "GET", path)[0] == 403


def test_links_that_lead_out_of_the_folder_are_not_served(server, tmp_path, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "private.txt"
    outside.write_text("private", encoding="utf-8")
    (tmp_path / "link.txt").symlink_to(outside)
    (tmp_path / "folder").symlink_to(outside.parent)
    (tmp_path / "copy.html").symlink_to(tmp_path / "index.html")
    assert ask(server, "GET", "/link.txt")[0] == 404
    assert ask(server, "GET", "/folder/private.txt")[0] == 404
    assert ask(server, "GET", "/copy.html")[0] == 200
