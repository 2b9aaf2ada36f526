"""`demo`: the main job from beginning to end, with nothing to configure."""


def test_the_document_says_that_everything_went_as_it_must(metrix):
    """Refusals without requests, messages delivered, doubt marked."""
    result = metrix("demo", "--json")
    assert (result.status, result.document["ok"], result.err) == (0, True, "")
    steps = {step["step"]: step for step in result.document["steps"]}
    assert all(step["as_expected"] for step in steps.values())
    assert steps["send on an untested channel"]["error"]["code"] == "channel_unverified"
    assert steps["send on an untested channel"]["requests"] == 0
    assert steps["send with a wrong key"]["error"]["code"] == "credentials_refused"
    doubtful = [step["receipt"]["possible_duplicate"] for step in steps.values() if "receipt" in step]
    assert doubtful.count(True) == 1
    campaign = steps["a campaign after kill -9"]
    assert (campaign["state"], campaign["accepted"], campaign["pending"]) == ("finished", 10_000, 0)
    assert result.document["messages"] == result.document["delivered"]


def test_a_stranger_reads_refusal_receipt_and_message(metrix):
    """The text shows each command, what came of it and what arrived, in 80 columns but for the remedies."""
    result = metrix("demo")
    assert (result.status, result.err) == (0, "")
    assert "Requests made: 0. Exit status: 3." in result.out
    assert "Ready to send" in result.out
    assert "کد ورود شما: 4821" in result.out
    assert "possible_duplicate" in result.out
    assert "[credentials_refused]" in result.out
    assert result.out.endswith("$ metrix-channels init my-messages\n")
    headings = [line for line in result.out.splitlines() if line.startswith("── ")]
    assert len(headings) == 8
    assert {len(line) for line in headings} == {76}
    assert all(line.endswith("─") for line in headings)
    assert "not what should have happened" not in result.out
    assert sum(line.startswith("pass  template.renders") for line in result.out.splitlines()) == 1
