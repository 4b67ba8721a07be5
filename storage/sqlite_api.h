// SQLite's functions, by whichever door this build has: linked in (the agent), or handed over by
// the process that loads invlog_sqlite.so (then every call goes through a table of pointers, and
// extension.cpp defines `sqlite3_api`).
#pragma once

#include <sqlite3.h>

#ifdef INVLOG_SQLITE_EXTENSION
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#endif
