"""What a chip is: description, units, diagnostics, catalogue, JSON Schema."""
from chipsim.chip.catalogue import CatalogueEntry, catalogue
from chipsim.chip.codes import CODES
from chipsim.chip.load import check_chip, load_chip
from chipsim.chip.schema import json_schema
from chipsim.chip.spec import ChipSpec, Provenance

__all__ = ["CODES", "CatalogueEntry", "ChipSpec", "Provenance", "catalogue", "check_chip", "json_schema", "load_chip"]
