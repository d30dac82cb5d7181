"""Write made-up rows in the layout of SmartToDo's annotations."""

from pathlib import Path

HEADER = "UniqueID\tdata_index\tcurrent_id\thighlight_start\thighlight_end\tto_do_summary"
ROWS = (
    "447712782\t0\t078-012937-EM\t166\t171\t$26912$ $3085$ $19097$",
    "447712782\t0\t078-012937-EM\t166\t171\t$2290$ #DATE# $19104$",
    '410965605\t1\t215-004726-EM\t138\t160\tUNK " $5923$',
    "410965605\t1\t215-004726-EM\t160\t138\t#NUMBER#",
    "649683695\t2\t215-005405-EM\t87\tmany\t$13819$",
    "649683695\t2\t215-005405-EM\t87",
    "\t2\t215-005405-EM\t87\t95\t$13819$",
    "",
)


def write(folder: Path) -> None:
    data = folder / "data" / "Coded_Annotations"
    data.mkdir(parents=True, exist_ok=True)
    (data / "Spans_ToDo_dataset.tsv").write_text("\n".join((HEADER, *ROWS)))
    (folder / "data" / "email_ids.csv").write_text("078-012937-EM\n")
