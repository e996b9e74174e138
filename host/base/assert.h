/* base/assert.h: RIDE_ASSERT is for our own bugs only: it stays on in release builds and aborts with place and
 * text. The environment's failures are statuses and a stranger's bad row is counted, never asserted. */
#ifndef RIDE_BASE_ASSERT_H
#define RIDE_BASE_ASSERT_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
__attribute__((noreturn, cold))
#endif
void ride_assert_failed(const char *condition, const char *file, int line);

#define RIDE_ASSERT(condition) ((condition) ? (void)0 : ride_assert_failed(#condition, __FILE__, __LINE__))

#ifdef __cplusplus
}
#endif

#endif
