"""What is to be done about many checks, said once."""

from metrix_channels.checks import Check, CheckStatus, remedies_of


def checks(*remedies):
    """Failed checks, from pairs of a subject and a remedy."""
    return [Check("x.y", subject, CheckStatus.FAIL, "m", remedy) for subject, remedy in remedies]


def test_remedies_that_differ_only_in_the_subject_are_one():
    """Four untested channels need the same command, each with its name."""
    found = remedies_of(checks(*((name, f"Run `verify {name} --by YOU`.") for name in ("push", "web", "email"))))
    assert found == ["Run `verify push --by YOU`. Do the same for web and email."]


def test_other_remedies_stay_apart_and_in_their_order():
    """The subject within another word is no subject; what is said twice is said once."""
    found = remedies_of(
        checks(("a", "Start b."), ("sms", "Run smsc."), ("s", "Run smsc."), ("c", None), ("d", "Start b."))
    )
    assert found == ["Start b.", "Run smsc."]


def test_a_remedy_of_several_lines_keeps_them():
    """They may be lines of a file."""
    found = remedies_of(checks(("a", "Write a.yaml:\nname: x"), ("b", "Write b.yaml:\nname: x")))
    assert found == ["Write a.yaml:\nname: x\nDo the same for b."]
