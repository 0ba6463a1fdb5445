"""What a header and its cells suggest: units, codes, times, persons. Suspicions only: a draft asks about them.

The words are those of French and English producers. Nothing here decides a type: see ``profile``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from raw_sources.drafting.names import snake

_UNITS = """
    kwh:kWh mwh:MWh gwh:GWh twh:TWh kw:kW mw:MW gw:GW %:%:pct pct:%:pct percent:%:pct pourcent:%:pct
    km/h:km/h:kmh kmh:km/h:kmh m/s:m/s:m_s m:m:m km:km metres:m:m meters:m:m mètres:m:m m2:m²:m2 m²:m²:m2 km2:km²:km2
    km²:km²:km2 m3:m³:m3 m³:m³:m3 ha:ha ml:m:m kg:kg t:t tonnes:t:t g:g €:€:eur eur:€:eur euro:€:eur euros:€:eur
    k€:k€:keur keur:k€:keur mg/m3:mg/m³:mg_m3 ug/m3:µg/m³:ug_m3 µg/m3:µg/m³:ug_m3 min:min h:h s:s ms:ms
    secondes:s:s seconds:s:s minutes:min:min °c:°C:degc veh/h:veh/h:veh_h véh/h:veh/h:veh_h l:L litres:L:l liters:L:l
    db:dB v:V
"""
_ALONE_ONLY_IN_BRACKETS = frozenset({"m", "h", "s", "t", "g", "l", "v", "ml", "ms", "mw", "min", "ha"})
CODE_WORDS = frozenset(
    """code codes insee siren siret cp postal id ids ident identifiant identifier numero num no ref reference refext
    iris naf naf2 nic uai uuid cle key iu fid objectid gid cpv gln iban index dep reg com arr can arrondissement
    departement""".split()
)
COUNT_WORDS = frozenset("nb nombre number count counts total quantite population".split())
_LABEL_WORDS = frozenset("libelle label nom name designation titre title".split())
YEAR_WORDS = frozenset("annee year an millesime edition".split())
TIME_WORDS = frozenset(
    """date dates datetime time timestamp horodate horodatage heure heures hour jour jours day reported updated created
    millis at since maj debut fin start end last""".split()
)
_PLANNED = re.compile(
    r"debut|prevu|previs|start|planned|valid|until|dispo|ouvert|(?:^|_)(?:fin|deb|end|from)|(?:fin|deb|end)(?:$|_)"
)
LON_WORDS = frozenset("lon long lng longitude x".split())
LAT_WORDS = frozenset("lat latitude y".split())
_PERSON_WORDS = frozenset(
    """prenom prenoms firstname lastname surname civilite contact interlocuteur signataire locataire usager abonne
    client conducteur redacteur auteur naissance birthdate birthday email mail courriel telephone tel phone portable fax
    iban""".split()
)
_AGENT_WORDS = frozenset(
    "beneficiaire proprietaire petitionnaire declarant demandeur requerant responsable gestionnaire author".split()
)
_PERSON_NAMES = ("first_name", "last_name", "family_name", "full_name", "nom_famille", "nom_usage", "nom_naissance")
_BEARERS = frozenset(
    "user usager device vehicle vehicule bike velo trip card carte badge subscriber abonne imei".split()
)
_ADDRESS_WORDS = frozenset("adresse address domicile".split())

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(?<![\w./=-])(?:(?:\+|00)33[ .-]?\(?0?\)?|0)[1-9](?:[ .-]?\d{2}){4}(?![\w./=-])")
_ADDRESS_OF_MACHINE = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)")
_PLATE = re.compile(r"(?<![\w-])[A-HJ-NP-TV-Z]{2}[- ]?\d{3}[- ]?[A-HJ-NP-TV-Z]{2}(?![\w-])")
_CIVILITY = re.compile(r"(?:^|[\s(,;])(?:M\.|Mr\.?|MM\.|Mme|Mlle|Monsieur|Madame) +[A-ZÀ-Ý]")
_STREET = re.compile(
    r"(?i)^\W*\d{1,4}\s*(?:bis|ter|quater|[a-d])?,?\s+(?:rue|avenue|av\.?|bd|boulevard|chemin|impasse|place|allée|route|quai)\b"
)
_LINK = re.compile(r"\w+://\S+")
FREE_TEXT_LENGTH = 60
SHARE = 0.2


def units() -> dict[str, tuple[str, str]]:
    """Return the units known: spelling in a header -> (symbol, suffix of a column's name)."""
    found = {}
    for entry in _UNITS.split():
        spelling, symbol, *suffix = entry.split(":")
        found[spelling.casefold()] = (symbol, suffix[0] if suffix else spelling)
    return found


_KNOWN_UNITS = units()


def unit_of(header: str, beside: Iterable[str] = ()) -> tuple[str, str] | None:
    """Return (symbol, suffix) of the unit that a header names, or one of the texts ``beside`` it; None without."""
    for inside in re.findall(r"[(\[]([^)\]]+)[)\]]", header):
        words = re.sub(r"^(?:en|in)\s+", "", inside.strip().casefold())
        for text in (words, words.split()[0] if words.split() else ""):
            if text in _KNOWN_UNITS:
                return _KNOWN_UNITS[text]
    for text in beside:
        if text.strip().casefold() in _KNOWN_UNITS:
            return _KNOWN_UNITS[text.strip().casefold()]
    if "%" in header:
        return _KNOWN_UNITS["%"]
    last = snake(header).rpartition("_")[2]
    return None if last in _ALONE_ONLY_IN_BRACKETS else _KNOWN_UNITS.get(last)


def words_of(name: str) -> frozenset[str]:
    """Return the words of a snake_case name."""
    return frozenset(name.split("_"))


def sounds_like_code(name: str) -> bool:
    """Say whether a name sounds like that of an identifier or a code, which is text even when it is made of digits."""
    words = words_of(name)
    is_code = bool(words & CODE_WORDS) or any(word.startswith("cod") and len(word) > 3 for word in words)
    return is_code and not words & (COUNT_WORDS | _LABEL_WORDS)


def sounds_planned(name: str) -> bool:
    """Say whether a name sounds like that of a bound that may lie in the future, so that it is no observation."""
    return _PLANNED.search(name) is not None


def suspicion(name: str, cells: Iterable[tuple[str, int]], longest: int) -> tuple[str, str] | None:
    """Return (classification, why) when a column of texts may hold personal data, None when nothing suggests it.

    ``cells`` are distinct values with their number of records, ``longest`` the length of the longest one. The reason
    names no value.
    """
    texts = [(_LINK.sub(" ", text), count) for text, count in cells]
    total = sum(count for _, count in texts) or 1

    def share(pattern: re.Pattern[str]) -> float:
        return sum(count for text, count in texts if pattern.search(text)) / total

    if share(_EMAIL) > 0:
        return "direct", "cells hold e-mail addresses"
    if share(_PHONE) > 0:
        return "direct", "cells look like telephone numbers"
    if share(_PLATE) >= SHARE or (longest > FREE_TEXT_LENGTH and share(_PLATE) > 0):
        return "direct", "cells look like licence plates"
    if share(_ADDRESS_OF_MACHINE) >= SHARE:
        return "indirect", "cells look like addresses of machines (IP)"
    if (named := share(_CIVILITY)) > 0:
        return "direct" if named >= SHARE else "indirect", "cells seem to name persons (M., Mme, ...)"
    return suspicion_by_name(name, len(texts)) or _suspicion_by_form(texts, total, longest)


def suspicion_by_name(name: str, distinct: int) -> tuple[str, str] | None:
    """Return what the name of a column with so many ``distinct`` values suggests, as :func:`suspicion` does."""
    words = words_of(name)
    if any(part in f"_{name}_" for part in (f"_{known}_" for known in _PERSON_NAMES)) or words & _PERSON_WORDS:
        return "direct", "its header is one of a person's data"
    if words & _BEARERS and words & CODE_WORDS and "type" not in words and distinct > 1:
        return "indirect", "its header is an identifier of a vehicle, a device or a user, which can trace a person"
    if words & _AGENT_WORDS and distinct > 12:
        return "indirect", "its header is one of somebody who acts, which may be a person"
    if words & _ADDRESS_WORDS:
        return "indirect", "its header is an address, which may be a person's"
    return None


def _suspicion_by_form(texts: list[tuple[str, int]], total: int, longest: int) -> tuple[str, str] | None:
    if sum(count for text, count in texts if _STREET.search(text)) / total >= SHARE:
        return "indirect", "cells look like addresses with a house number"
    is_varied = len(texts) > 1 and 3 * len(texts) > total
    if longest > FREE_TEXT_LENGTH and is_varied and any(text.count(" ") >= 8 for text, _ in texts):
        return "indirect", "it is free text, in which a person may be named"
    return None


_THEMES = {
    "energy": "mwh kwh energie energy conso consommation gaz elec chaleur froid eco2mix eolien",
    "economy": "marche marches decp siret entreprise emploi budget subvention montant",
    "mobility": "trafic traffic comptage comptages chantier chantiers travaux voirie velo bike station debit vitesse",
}


def theme_of(names: Iterable[str]) -> str:
    """Return the theme that the names of a file and of its columns suggest: the most often, or ``territory``."""
    words = [word for name in names for word in name.split("_")]
    scores = {theme: sum(word in known.split() for word in words) for theme, known in _THEMES.items()}
    best = max(scores, key=lambda theme: scores[theme])
    return best if scores[best] else "territory"
