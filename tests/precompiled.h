// The same as agent/precompiled.h for the tests, which are compiled without optimization.
#include <future>

#include "agent/precompiled.h"
#include "tests/catch.h"
