"""The chapters of Python's library manual: what each is about, and which modules it describes (as of Python 3.11)."""

from dataclasses import dataclass

__all__ = ["CHAPTERS", "COMPILED", "Chapter"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """One chapter: its name in the manual, a sentence on its subject, its modules; a package stands for all inside."""

    name: str
    description: str
    modules: tuple[str, ...]


def _chapter(name: str, description: str, modules: str) -> Chapter:
    return Chapter(name, description, tuple(modules.split()))


# Left out are the chapters with fewer than 40 docstrings, too few to be measured: Multimedia, Internationalization,
# Software Packaging, Custom Interpreters, and modules of one system (Windows, Unix) or on their way out (Superseded).
CHAPTERS: tuple[Chapter, ...] = (
    _chapter(
        "Built-in Functions and Types",
        "The functions, types and exceptions that are always there: numbers, strings, lists, dictionaries and sets.",
        "builtins",
    ),
    _chapter(
        "Text Processing",
        "Working with strings: searching with regular expressions, comparing, wrapping, formatting and Unicode.",
        "string re sre_compile sre_parse difflib textwrap unicodedata stringprep readline rlcompleter",
    ),
    _chapter(
        "Binary Data",
        "Packing values into bytes, and encoding and decoding text with codecs.",
        "struct _struct codecs _codecs encodings",
    ),
    _chapter(
        "Data Types",
        "Containers and value types: dates and times, calendars, queues, arrays, enumerations, copying and printing.",
        "datetime calendar zoneinfo collections _collections _collections_abc heapq _heapq bisect _bisect array "
        "weakref _weakref _weakrefset types copy pprint reprlib enum graphlib",
    ),
    _chapter(
        "Numeric and Mathematical",
        "Mathematics: functions, complex, decimal and rational numbers, random numbers and statistics.",
        "numbers math cmath decimal _pydecimal fractions random _random statistics",
    ),
    _chapter(
        "Functional Programming",
        "Iterators and their building blocks, functions of functions, partial application and operators as functions.",
        "itertools functools _functools operator",
    ),
    _chapter(
        "File and Directory Access",
        "Paths, directories and files: joining, listing, matching, comparing, copying and temporary files.",
        "pathlib posixpath ntpath genericpath fileinput stat filecmp tempfile glob fnmatch linecache shutil",
    ),
    _chapter(
        "Data Persistence",
        "Keeping objects and tables on disk: pickling, key-value files and SQL databases.",
        "pickle copyreg shelve marshal dbm sqlite3 _sqlite3 pickletools",
    ),
    _chapter(
        "Compression and Archiving",
        "Compressing data and reading and writing zip and tar archives.",
        "zlib gzip bz2 _bz2 lzma _lzma zipfile tarfile _compression",
    ),
    _chapter(
        "File Formats",
        "Reading and writing tables, settings files and property lists.",
        "csv _csv configparser tomllib netrc plistlib",
    ),
    _chapter(
        "Cryptographic Services",
        "Digests, keyed message authentication and random secrets.",
        "hashlib _hashlib hmac secrets _blake2 _sha3 _md5",
    ),
    _chapter(
        "Operating System Services",
        "What the operating system offers: files and processes, streams, time, command lines, logs and terminals.",
        "os posix io _io _pyio time argparse getopt logging getpass curses platform errno ctypes",
    ),
    _chapter(
        "Concurrent Execution",
        "Threads, processes, locks, pools, futures, subprocesses and scheduling.",
        "threading _thread _threading_local multiprocessing concurrent subprocess sched queue _queue contextvars",
    ),
    _chapter(
        "Networking and Interprocess Communication",
        "Event loops and coroutines, sockets, encrypted connections, waiting for input and output, and signals.",
        "asyncio socket _socket ssl select selectors signal mmap",
    ),
    _chapter(
        "Internet Data Handling",
        "E-mail messages and mailboxes, JSON, MIME types and base64.",
        "email json _json mailbox mimetypes base64 binascii quopri",
    ),
    _chapter(
        "Structured Markup Processing",
        "Parsing and writing XML and HTML: trees, events and escapes.",
        "html xml pyexpat _elementtree _markupbase",
    ),
    _chapter(
        "Internet Protocols and Support",
        "Clients and servers for web, mail and file protocols, URLs, cookies and IP addresses.",
        "webbrowser wsgiref urllib http ftplib poplib imaplib smtplib uuid socketserver xmlrpc ipaddress",
    ),
    _chapter(
        "Program Frameworks",
        "Drawing with a turtle, writing command interpreters and splitting shell lines.",
        "turtle cmd shlex",
    ),
    _chapter(
        "Graphical User Interfaces with Tk",
        "Windows, buttons, menus, canvases, dialogs and other widgets.",
        "tkinter",
    ),
    _chapter(
        "Development Tools",
        "Type hints, documentation, unit tests, mock objects and examples that are checked.",
        "typing pydoc doctest unittest",
    ),
    _chapter(
        "Debugging and Profiling",
        "Debuggers, profilers, timing, tracing of calls and of memory.",
        "bdb faulthandler pdb profile pstats cProfile timeit trace tracemalloc _tracemalloc",
    ),
    _chapter(
        "Runtime Services",
        "The interpreter itself: its settings, warnings, data classes, context managers, tracebacks and introspection.",
        "sys _sys sysconfig warnings dataclasses contextlib abc _py_abc atexit traceback __future__ gc inspect site "
        "code codeop",
    ),
    _chapter(
        "Importing Modules",
        "Finding, loading and running modules, and packages of them.",
        "zipimport pkgutil modulefinder runpy importlib",
    ),
    _chapter(
        "Python Language Services",
        "Python source as data: syntax trees, tokens, symbol tables, byte code and compiling.",
        "ast symtable token keyword tokenize tabnanny pyclbr py_compile compileall dis opcode",
    ),
)

# Modules without Python source whose import does nothing but define names: their docstrings are read from the objects.
COMPILED = _chapter(
    "",
    "",
    "builtins math cmath itertools _functools _operator time posix sys gc errno marshal zlib array _struct _codecs "
    "_collections _heapq _bisect _random _io _thread _queue _csv _json _socket select mmap binascii unicodedata "
    "_sqlite3 _bz2 _lzma _hashlib _blake2 _locale pyexpat _elementtree _weakref faulthandler _tracemalloc "
    "_contextvars _signal",
).modules
