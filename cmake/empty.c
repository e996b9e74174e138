/* An archive needs one source of its own. */
typedef int ride_empty;
