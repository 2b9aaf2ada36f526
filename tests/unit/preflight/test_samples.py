"""Templates without a sample: compiled, and the sample that they want is written out."""

import pytest

from metrix_channels.config import parse_yaml
from metrix_channels.models import ChannelType
from metrix_channels.preflight.samples import compose, warn_of_no_sample
from metrix_channels.templating import Templates


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ code }}", {"code"}),
        ("{{ نام }} {{ no }}", {"نام", "no"}),
        ("{{ day | jalali }} {{ name }}", {"day", "name"}),
        ("{{ price + 1 }} {{ name }}", {"price", "name"}),
        ("---\ntitle: t\nbuttons: [{label: Go, link: '{{ link }}'}]\n---\n{{ name }}", {"link", "name"}),
    ],
)
def test_the_example_names_every_variable_and_renders(tmp_path, text, names):
    """It is YAML that can be pasted into the file, and the template renders with it."""
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "push.txt.j2").write_text(text, encoding="utf-8")
    templates = Templates(tmp_path)
    template = templates.find("t", "web_push", ChannelType.WEB_PUSH)
    check = warn_of_no_sample(tmp_path / "t", [(template, ChannelType.WEB_PUSH)])
    assert check.status == "warn"
    assert all(name in check.message for name in names)
    head, _, sample = check.remedy.partition(":\n")
    assert str(tmp_path / "t" / "sample.yaml") in head
    values = parse_yaml(sample, "sample.yaml").data
    assert set(values) == names
    assert compose(template, ChannelType.WEB_PUSH, values).fields["body"]


def test_where_no_simple_values_fit_each_name_has_text(tmp_path):
    """A template that wants a mapping: the names are right, the values are the author's to write."""
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "sms.txt.j2").write_text("{{ order.id }}", encoding="utf-8")
    template = Templates(tmp_path).find("t", "sms", ChannelType.SMS)
    check = warn_of_no_sample(tmp_path / "t", [(template, ChannelType.SMS)])
    assert check.remedy.endswith("such as:\norder: example")
