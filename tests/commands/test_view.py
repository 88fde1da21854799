import http.client
import json
import threading

import pytest

from causal_ivae.cli import main
from causal_ivae.commands.page_server import open_server
from causal_ivae.group import RATINGS, Rating, read_ratings


@pytest.fixture
def server(tmp_path):
    (tmp_path / "index.html").write_text("<p>as it was</p>", encoding="utf-8")
    (tmp_path / "sub-01").mkdir()
    (tmp_path / "sub-01.html").write_text("<p>one subject</p>", encoding="utf-8")
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


def rate(server, content, path="/rate", **headers):
    """Send a rating; a header that is None is left out."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    kind = {"Content-Type": "application/json", **headers}
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in kind.items() if value is not None}
    connection.request("POST", server.secret + path, body=body, headers=sent)
    answer = connection.getresponse()
    status, said = answer.status, answer.read()
    connection.close()
    return status, json.loads(said)["message"]


GOOD = {"unit": "sub-01", "choice": "exclude", "note": "spikes"}


def test_the_index_is_served_on_loopback_only(server):
    assert server.server_address[0] == "127.0.0.1"
    status, body = ask(server, "GET", "/")
    assert status == 200
    assert b'data-unit="sub-01"' in body
    assert ask(server, "GET", "/index.html")[1] == body
    assert ask(server, "GET", "/sub-01.html") == (200, b"<p>one subject</p>")


@pytest.mark.parametrize(("method", "status"), [("PUT", 501), ("DELETE", 501), ("POST", 404)])
@pytest.mark.parametrize("path", ["/index.html", "/exclude.tsv", "/rate/x", "/sub-01.html"])
def test_nothing_but_ratings_can_be_written(server, tmp_path, method, status, path):
    before = {file.name for file in tmp_path.iterdir()}
    assert ask(server, method, path)[0] == status
    assert before == {file.name for file in tmp_path.iterdir()}


def test_a_rating_is_saved_and_shown(server, tmp_path):
    assert rate(server, GOOD) == (200, "OK")
    assert read_ratings(tmp_path) == {"sub-01": Rating("exclude", "spikes")}
    news = json.loads(ask(server, "GET", "/changes?since=0")[1])
    assert 'data-rating="exclude"' in news["rows"]["sub-01"]
    same = json.loads(ask(server, "GET", f"/changes?since={news['version']}")[1])
    assert same["rows"] == {}
    assert rate(server, {**GOOD, "choice": "", "note": ""})[0] == 200
    assert read_ratings(tmp_path) == {}


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"[" * 9000, {}, 400),
        (b"\xff\xfe", {}, 400),
        ([GOOD], {}, 400),
        ({"unit": "sub-01"}, {}, 400),
        ({**GOOD, "more": 1}, {}, 400),
        ({**GOOD, "note": None}, {}, 400),
        ({**GOOD, "choice": "maybe"}, {}, 400),
        ({**GOOD, "unit": "sub-02"}, {}, 404),
        ({**GOOD, "unit": "../../sub-01"}, {}, 404),
        ({**GOOD, "note": "x" * 20_000}, {}, 413),
        (GOOD, {"Content_Type": "text/plain"}, 415),
        (GOOD, {"Origin": "http://elsewhere.example"}, 403),
        (GOOD, {"Origin": "null"}, 403),
        (GOOD, {"Host": "elsewhere.example"}, 403),
        (GOOD, {"Content_Length": "-1"}, 411),
    ],
)
def test_what_is_no_rating_from_this_page_changes_nothing(
    server, tmp_path, content, headers, status
):
    assert rate(server, content, **headers)[0] == status
    assert not (tmp_path / RATINGS).exists()
    # The server goes on.
    assert rate(server, GOOD)[0] == 200


def test_ratings_need_the_secret_and_never_replace_a_damaged_file(server, tmp_path):
    assert ask_for(server, "POST", "/rate")[0] == 403
    assert ask_for(server, "POST", "/x/rate")[0] == 403
    (tmp_path / RATINGS).write_text("my own notes\n")
    status, said = rate(server, GOOD)
    assert status == 409
    assert "exclude.tsv" in said
    assert (tmp_path / RATINGS).read_text() == "my own notes\n"


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
