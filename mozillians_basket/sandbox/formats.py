"""The forms of tokens, countries and URLs. Needs nothing but Python."""

import re
import uuid

_HEX = "[0-9a-fA-F]"
_HYPHENATED = f"{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}}"
_UUID = re.compile(
    rf"{_HEX}{{32}}|{_HYPHENATED}|\{{{_HYPHENATED}\}}|urn:uuid:{_HYPHENATED}",
)
_HEX_AND_DASHES = re.compile(r"[0-9a-fA-F-]{36}")

_URL = re.compile(r"([a-z][a-z0-9+.-]*):(.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"[/\\]*(?:[^/\\?#]*@)?([^/\\?#@]*)")
_HOST = re.compile(
    r"(?:\[[0-9a-f:.]+\]|[^\s:<>\[\]^|%\x00-\x1f\x7f]+)(?::[0-9]{0,5})?", re.IGNORECASE
)
_SCHEMES_WITH_HOST = {"ftp", "http", "https", "ws", "wss"}

# ISO 3166-1: the codes of two and of three letters.
_COUNTRIES = """
ad:and ae:are af:afg ag:atg ai:aia al:alb am:arm ao:ago aq:ata ar:arg as:asm at:aut au:aus aw:abw
ax:ala az:aze ba:bih bb:brb bd:bgd be:bel bf:bfa bg:bgr bh:bhr bi:bdi bj:ben bl:blm bm:bmu bn:brn
bo:bol bq:bes br:bra bs:bhs bt:btn bv:bvt bw:bwa by:blr bz:blz ca:can cc:cck cd:cod cf:caf cg:cog
ch:che ci:civ ck:cok cl:chl cm:cmr cn:chn co:col cr:cri cu:cub cv:cpv cw:cuw cx:cxr cy:cyp cz:cze
de:deu dj:dji dk:dnk dm:dma do:dom dz:dza ec:ecu ee:est eg:egy eh:esh er:eri es:esp et:eth fi:fin
fj:fji fk:flk fm:fsm fo:fro fr:fra ga:gab gb:gbr gd:grd ge:geo gf:guf gg:ggy gh:gha gi:gib gl:grl
gm:gmb gn:gin gp:glp gq:gnq gr:grc gs:sgs gt:gtm gu:gum gw:gnb gy:guy hk:hkg hm:hmd hn:hnd hr:hrv
ht:hti hu:hun id:idn ie:irl il:isr im:imn in:ind io:iot iq:irq ir:irn is:isl it:ita je:jey jm:jam
jo:jor jp:jpn ke:ken kg:kgz kh:khm ki:kir km:com kn:kna kp:prk kr:kor kw:kwt ky:cym kz:kaz la:lao
lb:lbn lc:lca li:lie lk:lka lr:lbr ls:lso lt:ltu lu:lux lv:lva ly:lby ma:mar mc:mco md:mda me:mne
mf:maf mg:mdg mh:mhl mk:mkd ml:mli mm:mmr mn:mng mo:mac mp:mnp mq:mtq mr:mrt ms:msr mt:mlt mu:mus
mv:mdv mw:mwi mx:mex my:mys mz:moz na:nam nc:ncl ne:ner nf:nfk ng:nga ni:nic nl:nld no:nor np:npl
nr:nru nu:niu nz:nzl om:omn pa:pan pe:per pf:pyf pg:png ph:phl pk:pak pl:pol pm:spm pn:pcn pr:pri
ps:pse pt:prt pw:plw py:pry qa:qat re:reu ro:rou rs:srb ru:rus rw:rwa sa:sau sb:slb sc:syc sd:sdn
se:swe sg:sgp sh:shn si:svn sj:sjm sk:svk sl:sle sm:smr sn:sen so:som sr:sur ss:ssd st:stp sv:slv
sx:sxm sy:syr sz:swz tc:tca td:tcd tf:atf tg:tgo th:tha tj:tjk tk:tkl tl:tls tm:tkm tn:tun to:ton
tr:tur tt:tto tv:tuv tw:twn tz:tza ua:ukr ug:uga um:umi us:usa uy:ury uz:uzb va:vat vc:vct ve:ven
vg:vgb vi:vir vn:vnm vu:vut wf:wlf ws:wsm ye:yem yt:myt za:zaf zm:zmb zw:zwe
"""
COUNTRY_CODES = frozenset(pair[:2] for pair in _COUNTRIES.split())
_BY_LONG_CODE = {pair[3:]: pair[:2] for pair in _COUNTRIES.split()}


def parse_token(text: str) -> uuid.UUID | None:
    """Return the token in any form of a UUID, or None if it is none."""
    return uuid.UUID(text) if _UUID.fullmatch(text) else None


def looks_like_token(text: str) -> bool:
    """Apply the first check of ``/news/subscribe/``: 36 hexadecimal digits and dashes, any case."""
    return _HEX_AND_DASHES.fullmatch(text) is not None


def country_code(country: str) -> str | None:
    """Return the two-letter code of a two- or three-letter code, or None if there is none."""
    code = country.strip().lower()
    code = _BY_LONG_CODE.get(code, code)
    return code if code in COUNTRY_CODES else None


def is_url(text: str) -> bool:
    """Tell whether this is an absolute URL of any scheme; nothing is fetched."""
    found = _URL.fullmatch(text.strip())
    if found is None:
        return False
    scheme, rest = found.groups()
    if scheme.lower() not in _SCHEMES_WITH_HOST:
        return True
    authority = _AUTHORITY.match(rest)
    return authority is not None and _HOST.fullmatch(authority[1]) is not None
