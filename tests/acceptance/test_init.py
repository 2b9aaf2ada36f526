"""`init`: a project that works at once, and nothing lost that was there before."""

import pytest


def snapshot(folder):
    return {
        str(path.relative_to(folder)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_from_init_to_an_accepted_message_with_the_refusal_on_the_way(tmp_path, metrix, metrix_sandbox, monkeypatch):
    """Preview; preflight refuses what nobody tested; verify; preflight passes; the message is accepted."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METRIX_APP_ID", metrix_sandbox.app_id)
    monkeypatch.setenv("METRIX_API_KEY", metrix_sandbox.api_key)
    written = metrix("init", "my-messages", "--json")
    assert written.status == 0
    assert "my-messages/channels.yaml" in written.document["written"]
    assert all((tmp_path / name).is_file() for name in written.document["written"])
    monkeypatch.chdir(tmp_path / "my-messages")
    config = tmp_path / "my-messages" / "channels.yaml"
    config.write_text(config.read_text().replace("https://entry.metrix.ir", metrix_sandbox.url))

    assert "هیچ‌کس" in metrix("preview", "otp").out
    refused = metrix("preflight", "sms", "--json")
    assert refused.status == 3
    failed = [check["id"] for check in refused.document["checks"] if check["status"] == "fail"]
    assert failed == ["channel.verified"]
    assert metrix("channels", "verify", "sms", "--by", "sara@example.com").status == 0
    ready = metrix("preflight", "sms")
    assert (ready.status, ready.out.splitlines()[-1][:13]) == (0, "Ready to send")
    assert metrix_sandbox.requests() == []
    sent = metrix("send", "sms", "--to", "user-42", "--template", "otp", "--set", "code=4821", "--json")
    assert (sent.status, sent.document["receipts"][0]["outcome"]) == (0, "accepted")
    assert len(metrix_sandbox.messages("SMS", "user-42")) == 1
    shown = metrix("campaign", "run", "campaigns/welcome.yaml", "--dry-run", "--json")
    assert (shown.status, shown.document["plan"]["recipients"], shown.document["plan"]["texts"]) == (0, 5, 4)
    run = metrix("campaign", "run", "campaigns/welcome.yaml", "--yes", "--json")
    assert (run.status, run.document["accepted"]) == (0, 5)


@pytest.mark.parametrize(
    "name", ["channels.yaml", "channels.schema.json", "templates/otp/sms.txt.j2", "campaigns/welcome.yaml"]
)
@pytest.mark.parametrize("kind", ["file", "dangling link", "folder"])
def test_what_is_there_is_never_touched(metrix, tmp_path, name, kind):
    """One file in the way, and nothing at all is written; a dangling link is in the way too."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = snapshot(tmp_path)
    result = metrix("init", tmp_path, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "file_exists")
    assert name in result.document["error"]["message"]
    assert snapshot(tmp_path) == before


def test_a_second_init_is_refused(metrix, tmp_path):
    """The project of the first stays as it is."""
    assert metrix("init", tmp_path / "new" / "deep").status == 0
    before = snapshot(tmp_path)
    again = metrix("init", tmp_path / "new" / "deep")
    assert (again.status, again.out) == (2, "")
    assert "[file_exists]" in again.err
    assert snapshot(tmp_path) == before


def test_in_a_repository_the_gitignore_stays_and_is_spoken_of(metrix, tmp_path):
    """A .gitignore is no reason to refuse, and is not written over."""
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    result = metrix("init", tmp_path)
    assert result.status == 0
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"
    assert "Add *.db" in result.out


def test_what_is_written_keeps_the_ledger_out_of_git(metrix, tmp_path):
    """The ledger holds recipients."""
    metrix("init", tmp_path)
    assert "*.db" in (tmp_path / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("taken", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_is_explained(metrix, tmp_path, taken):
    """A file stands where a folder is needed."""
    (tmp_path / "file").write_text("")
    result = metrix("init", tmp_path / taken, "--json")
    assert (result.status, result.document["error"]["code"]) == (2, "file_unwritable")


def test_the_text_names_the_next_steps_in_80_columns(metrix, tmp_path, monkeypatch):
    """Each step is one line that can be copied."""
    monkeypatch.chdir(tmp_path)
    lines = metrix("init").out.splitlines()
    assert "     metrix-channels channels verify sms --by you@example.com" in lines
    assert max(map(len, lines)) <= 95
