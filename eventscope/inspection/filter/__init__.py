"""The filter language: one for ``eventscope tail --where``, the dashboard and saved filters."""

from eventscope.inspection.filter.column_path import column_values
from eventscope.inspection.filter.context import (
    DELIVERY_STATES,
    Context,
    Delivery,
    DeliveryState,
)
from eventscope.inspection.filter.error import FilterError
from eventscope.inspection.filter.language import Filter, parse
from eventscope.inspection.filter.predicate import Form
from eventscope.inspection.filter.reference import (
    field_names,
    forms,
    reference_table,
    reference_text,
)

__all__ = [
    "DELIVERY_STATES",
    "Context",
    "Delivery",
    "DeliveryState",
    "Filter",
    "FilterError",
    "Form",
    "column_values",
    "field_names",
    "forms",
    "parse",
    "reference_table",
    "reference_text",
]
