"""Text from outside shows no secret: one that stands as it is becomes `***`, and any other form withholds the text."""

import base64
import json
from datetime import date
from decimal import Decimal
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.encodings import encodings
from helpers.project import API_KEY
from metrix_channels.errors import MessageInvalid
from metrix_channels.redact import MASK, Redactor, Secret, sensitive_values

WITHHELD = "[answer withheld: it contains the API key in an encoded form]"
ANSWER = (
    '{"status":"error","code":"E-1042","message":"Recipient is not known, see https://docs.metrix.ir/e?id=12&lang=fa",'
    '"at":"2026-11-25T21:01:50.123Z","trace":"4bf92f3577b34da6a3ce929d0e0e4736","text":"\\u06af\\u06cc\\u0631\\/x"}'
)
"""An everyday one."""

SURROUNDINGS = [
    "{}",
    '{{"error":"the key {} is wrong"}}',
    "at C:\\keys\\{} 100%{}",
    '<a href="?a=b&k={}">&copy;</a>',
    "=3D{}=20",
]


def cleaned(text, *secrets, is_cut=False):
    return Redactor(*secrets).clean(text, "answer", is_cut=is_cut)


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("form", encodings(API_KEY).values(), ids=encodings(API_KEY))
def test_a_key_in_any_encoding_withholds_the_answer(form, around):
    """Whatever stands beside it, also what another decoder would take for its own."""
    assert cleaned(around.replace("{}", form), Secret(API_KEY, "the API key")) == WITHHELD


@pytest.mark.parametrize("around", SURROUNDINGS)
def test_a_key_that_stands_as_it_is_is_masked_in_place(around):
    """In either case of its letters; the rest can be read."""
    for key in (API_KEY, API_KEY.upper()):
        assert cleaned(around.replace("{}", key), Secret(API_KEY)) == around.replace("{}", MASK)


@pytest.mark.parametrize("form", encodings("کد-۴۰۸۱").values(), ids=encodings("کد-۴۰۸۱"))
@pytest.mark.parametrize("value", ["کد-۴۰۸۱", "كد-4081", "کد-٤٠٨١"])
def test_persian_is_found_however_it_is_typed(form, value):
    """Digits of any script, and Arabic letters for Persian ones."""
    assert "withheld" in cleaned(f"the text {form} is bad", Secret(value))


@pytest.mark.parametrize("said", ["4081", "۴۰۸۱", "٤٠٨١", "۴0٨۱"])
@pytest.mark.parametrize("value", ["4081", "۴۰۸۱", 4081, [4081], {"inner": ("4081",)}])
def test_digits_are_masked_in_place_in_ascii_persian_and_arabic(said, value):
    """Whichever of them the value was given in; in lists and mappings, too."""
    assert Redactor(*sensitive_values([value])).clean(f"code {said}!") == f"code {MASK}!"


@given(
    before=st.binary(max_size=40), after=st.binary(max_size=40), key=st.text("abcXYZ0189+/=", min_size=6, max_size=40)
)
def test_base64_hides_no_secret_wherever_in_it_it_stands(before, after, key):
    """At every offset, between any other bytes."""
    if sum(char.isalnum() for char in key) < 4:
        return
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        form = encode(before + key.encode() + after).decode()
        assert "withheld" in cleaned(f"Authorization {form}.", Secret(key)) or MASK in cleaned(form, Secret(key))


@given(secret=st.text(st.characters(codec="utf-8", exclude_categories=["Cn", "Co"]), min_size=8, max_size=30))
def test_what_is_encoded_in_a_usual_way_is_found_whatever_it_is_made_of(secret):
    """Secrets that look like escapes themselves, too."""
    if sum(char.isalnum() for char in secret) < 6:
        return
    for form in (quote(secret, safe=""), json.dumps(secret)[1:-1], quote(quote(secret, safe=""))):
        found = cleaned(f"said {form} here", Secret(secret))
        assert MASK in found or "withheld" in found


def test_an_everyday_answer_is_left_as_it_is():
    """With links, times, ids and Persian escapes in it."""
    values = sensitive_values(["4081", "5", "سارا", 12.5, "Sara Ahmadi", "x"])
    assert cleaned(ANSWER, Secret(API_KEY, "the API key"), *values) == ANSWER.replace("/x", f"/{MASK}")


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        ("5", "5 of 15 in 0.5 s, u5", "*** of 15 in 0.*** s, u***"),
        ("42", "42, 142, 421, 4.2", "***, 142, 421, 4.2"),
        ("on", "on one button", "*** one button"),
        ("123", "code123 1234", "code*** 1234"),
        ("-", "a-b - c", "a***b *** c"),
        (" ", "a b", "a b"),
        ("", "a b", "a b"),
    ],
)
def test_a_short_value_counts_only_where_it_stands_alone(value, text, shown):
    """So that no answer becomes unreadable by a value of one character."""
    assert cleaned(text, Secret(value)) == shown


@pytest.mark.parametrize("form", ["%35", "\\u0035", "&#53;", "NQ==", "۵\u200b", "Y29kZT01"])
def test_a_short_value_is_found_in_encoded_forms_too(form):
    """Decoded, it stands alone."""
    assert cleaned(f"the code {form} is bad", Secret("5")) in (
        "the code ***\u200b is bad",
        cleaned("NQ==", Secret("5")),
    )


@pytest.mark.parametrize("text", ["4\u200b2", "4 2", "4\u00ad2", "４２", "4%32"])
def test_a_short_value_with_something_invisible_in_it_is_found(text):
    """It would be read as it is."""
    assert "withheld" in cleaned(f"code {text} is bad", Secret("42"))


@pytest.mark.parametrize("text", ["12 34", "12-34", "1.2.3.4", "1234\u200b", "12:34", "%31234"])
def test_a_code_written_in_groups_is_found(text):
    """From four letters and digits on, whatever stands between them."""
    assert "1" not in cleaned(f"code {text}", Secret("1234"))


@pytest.mark.parametrize("length", range(4, len(API_KEY)))
@pytest.mark.parametrize(
    "encode",
    [
        str,
        lambda key: quote(key, safe=""),
        lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
        lambda key: "".join(f"&#{ord(char)};" for char in key),
        lambda key: base64.b64encode(b"app-1:" + key.encode()).decode().rstrip("="),
        lambda key: key.encode().hex(),
    ],
    ids=["plain", "URL", "JSON", "HTML", "base64", "hexadecimal"],
)
def test_of_a_text_that_was_cut_off_within_a_secret_no_beginning_is_shown(length, encode):
    """Encoded or not, and when the cut goes through an escape."""
    whole = f"The key is {encode(API_KEY[:length])}"
    for text in (whole, *([whole[:-1]] if encode is not str and length > 6 else [])):
        found = cleaned(text, Secret(API_KEY, "the API key"), is_cut=True)
        assert found == ("The key is ***" if encode is str else WITHHELD), text


def test_what_is_encoded_too_often_to_be_searched_is_withheld():
    """Nobody can tell what is in it."""
    form = API_KEY
    for _ in range(9):
        form = quote(form, safe="")
    assert (
        cleaned(form, Secret(API_KEY)) == "[answer withheld: it is encoded too many times to be searched for secrets]"
    )


def test_without_secrets_text_stays_as_it_is():
    """An empty secret must not match everywhere."""
    assert cleaned("text %41", Secret("")) == "text %41"


def test_a_json_document_stays_one():
    """Only the texts that tell go; numbers count, and keys."""
    redactor = Redactor(*sensitive_values(["4081", "a+b/c d"]))
    document = {"message": {"body": "code 4081", "link": "https://x/?c=a%2Bb%2Fc%20d", "n": 4081, "4081": None}}
    assert json.loads(redactor.clean_json(json.dumps(document), "request")) == {
        "message": {
            "body": "code ***",
            "link": "[text withheld: it contains a sensitive value in an encoded form]",
            "n": "***",
            "***": None,
        }
    }
    assert redactor.clean_json('{"a": 1}', "request") == '{"a": 1}'


@pytest.mark.parametrize("value", [482193771.0, Decimal("482193771.00"), Decimal("4.82193771E+8")])
@pytest.mark.parametrize("said", ["482193771", "482,193,771", "۴۸۲۱۹۳۷۷۱"])
def test_a_fraction_is_found_as_the_whole_number_that_a_template_makes_of_it(value, said):
    """`{{ value | int }}` writes neither its point nor its exponent."""
    assert "771" not in cleaned(f"No: {said}.", *sensitive_values([value]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_no_number_is_found_as_it_is_written(value):
    """There is no whole number of it."""
    assert [secret.reveal() for secret in sensitive_values([value])] == [str(value)]


def test_no_error_behind_an_error_quotes_a_secret():
    """An error that is clean itself may have been raised from one that is not."""

    def work():
        try:
            date.fromisoformat("zq-482193771")
        except ValueError as error:
            raise MessageInvalid("That is no date.", code="link_refused") from error

    with pytest.raises(MessageInvalid) as caught:
        Redactor(Secret("zq-482193771")).guard(work)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_an_error_is_raised_without_the_secrets_in_it():
    """Nor is the first one kept behind it."""

    def refuse():
        raise MessageInvalid("the link x://a%2Db-c1 is bad", code="link_refused", location="t.j2:3")

    with pytest.raises(MessageInvalid) as caught:
        Redactor(*sensitive_values(["a-b-c1"])).guard(refuse)
    assert caught.value.message.startswith("[message withheld: it contains a sensitive value in an encoded form]")
    assert (caught.value.location, caught.value.__cause__, caught.value.__context__) == ("t.j2:3", None, None)


@pytest.mark.long
@given(text=st.text(max_size=400))
def test_no_text_breaks_the_search(text):
    """Whatever a server says."""
    assert isinstance(cleaned(text, Secret(API_KEY), Secret("5"), is_cut=True), str)


def test_an_answer_without_a_secret_compiles_no_pattern():
    """A send has sensitive values of its own, and most answers are alike: their readings are remembered."""
    for code in ("482193", "۴۸۲۱۹۳"):
        redactor = Redactor(Secret("key-0123456789abcdef")).hiding([Secret(code, "a sensitive value")])
        assert redactor.clean('{"status":true}', "answer") == '{"status":true}'
        assert "_plain" not in vars(redactor)
        assert redactor.clean('{"status":"482193"}', "answer") == '{"status":"***"}'
