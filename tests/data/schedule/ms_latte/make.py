"""Write a look-alike of MS-LaTTE.json."""

import json
from pathlib import Path


def write(folder: Path) -> None:
    tasks = [
        task("1", "rearrange closet")
        | judged("WE-morning", "WE-morning", "WE-afternoon,WD-evening", "WE-morning", "WE-evening"),
        task("2", "call mum") | judged("WD-night,WE-evening", "WD-night, WE-evening", "", "", ""),
        task("3", "think") | judged("", "", "", "", ""),
        task("4", "breathe") | judged(*["WD-anytime"] * 5),
        task("4", "breathe") | judged(*["WD-anytime"] * 5),
        task("5", "fly") | judged(*["WD-noon"] * 5),
        task("", "fall") | judged(*["WD-night"] * 5),
        {"ID": "7", "TaskTitle": "unjudged", "TimeJudgements": []},
        "no task",
    ]
    (folder / "MS-LaTTE.json").write_text(json.dumps(tasks, indent=3))
    (folder / "LICENSE").write_text("CDLA-Permissive-2.0")


def task(number: str, title: str) -> dict[str, object]:
    place = {"Known": "yes", "Locations": "home", "PublicLocations": ""}
    return {"ID": number, "TaskTitle": title, "ListTitle": "home", "LocJudgements": [place] * 3}


def judged(*times: str) -> dict[str, object]:
    known = ["yes" if time else "no" for time in times]
    return {
        "TimeJudgements": [
            {"Known": k, "Times": time} for k, time in zip(known, times, strict=True)
        ]
    }
