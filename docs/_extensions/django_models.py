"""A directive that describes a Django model by its docstring and its fields."""

from inspect import cleandoc
from typing import Any

from django.apps import apps
from django.conf import settings
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Model(SphinxDirective):
    """``.. django-model:: app_label.Model``: the model's docstring, and a table of its fields."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the description as reStructuredText, and have it parsed."""
        model = apps.get_model(self.arguments[0])
        lines = [*cleandoc(model.__doc__ or "").splitlines(), ""]
        lines += [".. list-table::", "   :header-rows: 1", "   :widths: 25 25 50", ""]
        rows = [("field", "kind", "content"), *(_row(f) for f in model._meta.concrete_fields)]
        for row in rows:
            for mark, cell in zip(("* -", "  -", "  -"), row, strict=True):
                lines.append(f"   {mark} {cell}")
        source = f"model {model._meta.label}"
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source), self.content_offset, node)
        return node.children


def _row(field: Any) -> tuple[str, str, str]:
    kind = type(field).__name__
    if field.related_model is not None:
        label = field.related_model._meta.label
        own = {
            settings.BASKET_MEMBER_MODEL: "the member model",
            settings.AUTH_USER_MODEL: "the user model",
        }
        kind += f" to {own.get(label, f'``{label}``')}"
    text = str(field.help_text or field.verbose_name).rstrip(".")
    if field.choices:
        text += ": " + ", ".join(f"``{value}``" for value, _label in field.flatchoices if value)
    return f"``{field.attname}``", kind, text.replace("*", r"\*")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("django-model", Model)
    return {"parallel_read_safe": True}
