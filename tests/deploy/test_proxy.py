"""``deploy/Caddyfile`` before two replicas: names, TLS, headers, and which replica answers whom."""

import base64
import gzip
import hashlib
import http.cookies
import os
import re
import shutil
import ssl
import subprocess

import pytest
from helpers import ROOT, need
from servers import HOST, ask, ask_for_websocket, wait_until

COOKIE = "inkling_replica"


@pytest.fixture
def send(deployment, tls):
    """Ask the proxy: ``send(path, host=HOST, **headers)``."""
    return lambda path="/_stcore/health", host=HOST, **headers: ask(deployment.port, path, host, tls, **headers)


def replica_cookie(answer):
    """The ``Cookie`` header that leads to the replica of this answer."""
    cookies = http.cookies.SimpleCookie()
    for line in answer.headers.get_all("Set-Cookie", []):
        cookies.load(line)
    return f"{COOKIE}={cookies[COOKIE].value}" if COOKIE in cookies else None


def stop(replica):
    replica.process.kill()
    replica.process.wait()


def test_only_the_configured_name_is_answered(deployment, send, tls):
    assert send().status == 200
    assert send(host=f"{HOST}:{deployment.port}").status == 200
    for name in ("evil.example", "127.0.0.1", "localhost", f"{HOST}.evil.example"):
        assert send(host=name).status == 421
        assert ask_for_websocket(deployment.port, name, tls, Origin=f"https://{name}").status == 421
    with pytest.raises(ssl.SSLError):  # a browser that was led here by another name is shown no page
        ask(deployment.port, tls=tls, server_name="evil.example")


def test_the_websocket_opens_for_the_own_page_alone(deployment, tls):
    assert ask_for_websocket(deployment.port, HOST, tls, Origin=f"https://{HOST}").status == 101
    assert ask_for_websocket(deployment.port, HOST, tls, Origin="https://evil.example").status == 403


def test_plain_http_leads_to_tls(deployment):
    answer = ask(deployment.http_port, "/train", HOST)
    assert answer.status in (301, 308)
    assert answer.headers["Location"].startswith(f"https://{HOST}")


def test_security_headers_are_on_every_answer(send):
    for path in ("/", "/train", "/static/nothing.js", "/_stcore/health", "/media/nothing.png"):
        headers = send(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"  # an address holds the secret id of its workspace
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        policy = headers["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in policy
        assert "'unsafe-eval'" not in policy
        assert "script-src 'self' 'unsafe-inline'" not in policy


def test_numbers_about_the_server_are_not_for_visitors(send):
    assert send("/_stcore/metrics").status == 404


@pytest.mark.parametrize("tls_setting", ["", "internal", "admin@school.example"])
def test_sites_that_may_show_the_app_in_a_frame_are_a_setting(tls_setting):
    if shutil.which("caddy") is None:
        need("caddy", "caddy is not installed (Debian's package caddy)")
    sites = "'self' https://moodle.school.example"
    settings = {"INKLING_HOST": HOST, "INKLING_UPSTREAMS": "app1:8501 app2:8501", "INKLING_COOKIE_SECRET": "s"}
    settings |= {"INKLING_FRAME_ANCESTORS": sites} | ({"INKLING_TLS": tls_setting} if tls_setting else {})
    command = ["caddy", "adapt", "--config", ROOT / "deploy" / "Caddyfile", "--adapter", "caddyfile"]
    adapted = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert adapted.returncode == 0, adapted.stderr
    assert f"frame-ancestors {sites}" in adapted.stdout


def test_the_policy_knows_the_script_in_streamlits_page(send):
    """After an upgrade of Streamlit, deploy/Caddyfile needs the new hash."""
    answer = send("/")
    for script in re.findall(rb"<script>(.*?)</script>", answer.body, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
        assert f"'sha256-{digest}'" in answer.headers["Content-Security-Policy"]


def test_streamlits_scripts_are_compressed(send):
    script = re.search(rb'src="\.?(/static/js/index[^"]*)"', send("/").body).group(1).decode()
    answer = send(script, Accept_Encoding="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"function" in gzip.decompress(answer.body)


def test_a_cookie_leads_back_to_the_same_replica(send):
    cookies = {replica_cookie(send()) for _ in range(40)}
    assert len(cookies) == 2, "the proxy uses one replica only"
    for cookie in cookies:
        assert {replica_cookie(send(Cookie=cookie)) for _ in range(10)} == {None}, "the proxy chose anew"


def test_visitors_of_a_replica_that_is_gone_are_led_to_the_other(own_deployment, tls):
    def send(**headers):
        return ask(own_deployment.port, host=HOST, tls=tls, **headers)

    cookies = {replica_cookie(send()) for _ in range(40)}
    assert len(cookies) == 2
    stop(own_deployment.replicas[0])
    answers = [send(Cookie=cookie) for cookie in cookies for _ in range(10)] + [send() for _ in range(10)]
    assert {answer.status for answer in answers} == {200}
    assert len({replica_cookie(answer) for answer in answers} - {None}) == 1


def test_the_log_holds_no_address_of_a_page(own_deployment, tls):
    for replica in own_deployment.replicas:
        stop(replica)
    secret = "/?workspace=very-secret"
    answer = ask(own_deployment.port, secret, HOST, tls, Referer=f"https://{HOST}{secret}", Cookie="workspace=very-secret")
    assert answer.status in (502, 503)
    log = wait_until(lambda: "http.log.error" in (text := own_deployment.log.read_text()) and text, "the log")
    assert "very-secret" not in log
