// The test programs' main(): Catch2 2.13 wants it compiled in; 3.x brings its own library.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
