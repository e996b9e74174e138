/* base/version.h: the version of the program, as in CMakeLists.txt; a test compares. */
#ifndef RIDE_BASE_VERSION_H
#define RIDE_BASE_VERSION_H
#define RIDE_VERSION "0.1.0"
#endif
