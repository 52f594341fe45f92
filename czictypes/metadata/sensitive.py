"""The names and values in metadata that tell persons, dates and places on a computer."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

__all__ = ["HISTORY_NAMES", "PERSON_NAMES", "is_sensitive", "is_time_id", "local_name", "names_in"]

#: Elements and attributes (in lower case) that tell a person, a computer or a date.
PERSON_NAMES = frozenset(
    {
        *("username", "firstname", "middlename", "lastname", "fullname", "login", "email"),
        *("phone", "fax", "operator", "author", "experimenter", "owner", "creator"),
        *("modifiedby", "createdby", "institution", "department", "userdefinedname"),
        *("computername", "hostname", "host", "machinename", "workstation", "workstationname"),
        *("domainname", "userdomain", "userdomainname", "ipaddress", "macaddress"),
        *("creationdate", "creationdatetime", "acquisitiondate", "acquisitiondateandtime"),
        *("acquisitiontime", "modificationdate", "plateacquisitiontimes"),
    }
)

#: Elements that tell the history of a file, with the paths and clock times of each step.
HISTORY_NAMES = frozenset({"audittrail"})

_USER_NAMES = frozenset({"username", "lastname", "fullname", "login", "operator", "author"})
_SHORTEST_NAME = 3

_DATE = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"
# No pattern begins with a repetition: values may be long, and each must be searched in one pass.
_SENSITIVE = re.compile(
    "|".join(
        (
            rf"(?<!\d)[12]\d{{3}}-{_MONTH}-{_DATE}(?!\d)",  # 2016-02-12
            r"(?<!\d)\d{1,2}[/.-]\d{1,2}[/.-](?:19|20)\d\d(?!\d)",  # 11/04/2020
            rf"(?<!\d)(?:19|20)\d\d{_MONTH}{_DATE}[_T -]?\d{{4,6}}(?!\d)",  # 20191121_170014
            rf"(?<=[A-Za-z0-9][_ -])(?:19|20)\d\d{_MONTH}{_DATE}(?!\d)",  # New-20191121
            r"(?<!\w)[A-Za-z]:\\",  # C:\Users
            r"\\\\[\w.-]+\\",  # \\host\share
            r"(?<![\w/])/(?:home|Users|mnt|media|Volumes|data)/",
            r"file://",
            r"[\w.+-]@[\w-]+\.[A-Za-z]{2,}",  # someone@example.org
        )
    )
)
_IN_USERS = re.compile(
    r"[\\/](?:Users|home|Documents and Settings)[\\/]{1,2}([^\\/<>\"]{1,64})", re.IGNORECASE
)
# Ticks of 100 ns since the year 1, from 1990 on; ZEN makes identifiers of them.
_TIME_ID = re.compile(r"\s*6[2-6]\d{16}\s*", re.ASCII)


def local_name(name: str) -> str:
    """Return a name without its prefix, in lower case."""
    return name.rpartition(":")[2].lower()


def is_sensitive(text: str) -> bool:
    """Whether a value holds a date, the path of a file or a mail address."""
    return _SENSITIVE.search(text) is not None


def is_time_id(text: str) -> bool:
    """Whether a value is an identifier made from a clock reading."""
    return len(text) < 40 and _TIME_ID.fullmatch(text) is not None


def names_in(root: ET.Element) -> set[str]:
    """Return the names of users (in lower case) that a document mentions in known places."""
    found: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        values = [element.text or "", *element.attrib.values()]
        for value in values:
            found.update(_IN_USERS.findall(value))
        if local_name(element.tag) in _USER_NAMES:
            found.add((element.text or "").strip())
        found.update(
            value for name, value in element.attrib.items() if local_name(name) in _USER_NAMES
        )
    generic = {"public", "default", "default user", "all users", "user", "users", "administrator"}
    lower = {name.strip().lower() for name in found}
    return {name for name in lower if len(name) >= _SHORTEST_NAME} - generic
