/* exp, log and pow of kernels/row against the long double functions of the C library (64 bits of mantissa: its own error is
 * below a thousandth of our last place), rounding and remainder against its exact double functions. */
#include "kernels/row/calendar.h"
#include "kernels/row/math.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <time.h>

static uint64_t state = 88172645463325252u;
static uint64_t next(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state;
}
static double uniform(double low, double high) { return low + (high - low) * (double)(next() >> 11) * 0x1p-53; }
/* Distance in units of the last place of the right answer's double. */
static double ulps(double ours, long double right) {
    int e;
    frexpl(right, &e);
    long double last = ldexpl(1.0L, e - 53 < -1074 ? -1074 : e - 53);
    return (double)(fabsl((long double)ours - right) / last);
}

Test(math, exp_is_below_0_7_ulp, .disabled = LDBL_MANT_DIG < 64) {
    double worst = 0, worst_tiny = 0;
    for (int i = 0; i < 2000000; i++) {
        double x = i % 3 == 0 ? uniform(-745, 709.7) : i % 3 == 1 ? uniform(-1, 1) : uniform(-30, 30);
        double e = ulps(ride_exp_row(x), expl(x)), *slot = x < -708 ? &worst_tiny : &worst;
        if (e > *slot) *slot = e;
    }
    cr_assert_lt(worst, 0.7);
    cr_assert_lt(worst_tiny, 1.0);
    cr_assert_eq(ride_exp_row(0), 1);
    cr_assert_eq(ride_exp_row(-1e300), 0);
    cr_assert(isinf(ride_exp_row(1e300)) && isinf(ride_exp_row(709.79)) && isnan(ride_exp_row(NAN)));
}

Test(math, log_is_below_0_7_ulp, .disabled = LDBL_MANT_DIG < 64) {
    double worst = 0;
    for (int i = 0; i < 2000000; i++) {
        double x = i % 3 == 0   ? ride_f64_of_bits(1 + next() % UINT64_C(0x7feffffffffffffe))
                   : i % 3 == 1 ? uniform(0.5, 2)
                                : 1 + uniform(-1e-6, 1e-6);
        double e = ulps(ride_log_row(x), logl(x));
        if (e > worst) worst = e;
    }
    cr_assert_lt(worst, 0.7);
    cr_assert_eq(ride_log_row(1), 0);
    cr_assert(isnan(ride_log_row(0)) && isnan(ride_log_row(-1)) && isnan(ride_log_row(NAN)));
}

Test(math, pow_is_below_0_7_ulp_and_exact_where_it_can_be, .disabled = LDBL_MANT_DIG < 64) {
    double worst = 0;
    for (int i = 0; i < 1000000; i++) {
        double x = i % 2 ? uniform(0, 1000) : uniform(0.95, 1.05), y = i % 2 ? uniform(-60, 60) : uniform(-3000, 3000);
        long double right = powl(x, y);
        /* powl itself loses up to y log x / 2^64 here; keep where that is small */
        if (right > 1e300L || right < 1e-300L || fabsl(logl(right)) > 100) continue;
        double e = ulps(ride_pow_row(x, y), right);
        if (e > worst) worst = e;
    }
    cr_assert_lt(worst, 0.7, "%g", worst);
    for (int x = -30; x <= 30; x++)
        for (int y = 0; y <= 10; y++) cr_assert_eq(ride_pow_row(x, y), pow(x, y), "%d^%d", x, y);
    for (int y = -1074; y < 1024; y++) cr_assert_eq(ride_pow_row(2, y), ldexp(1, y), "2^%d", y);
    for (int x = 0; x < 3000; x++) cr_assert_eq(ride_pow_row((double)x * x, 0.5), x);
    cr_assert_eq(ride_pow_row(-2, 3), -8);
    cr_assert(isnan(ride_pow_row(-2, 0.5)) && isnan(ride_pow_row(NAN, 0)) && isinf(ride_pow_row(0, -1)));
    cr_assert_eq(ride_pow_row(0.5, 1e300), 0);
    cr_assert_eq(ride_pow_row(1, 1e300), 1);
    cr_assert_eq(ride_pow_row(-1, 9007199254740993.0), 1);
}

Test(math, rounding_and_remainder_are_exact) {
    static const double edges[] = {0.0,   -0.0,   0.5,  -0.5,   1.5,    2.5, 0.49999999999999994, 4503599627370495.5,
                                   1e300, -1e300, 3e-9, 5e-324, 1e-310, 0.1, 123456.75,           DBL_MAX};
    enum { EDGES = sizeof edges / sizeof *edges };
    for (int i = 0; i < 2000000; i++) {
        double x = i < EDGES * EDGES ? edges[i / EDGES] : i % 2 ? uniform(-1e6, 1e6) : ride_f64_of_bits(next());
        double y = i < EDGES * EDGES ? edges[i % EDGES] : i % 5 ? uniform(-100, 100) : ride_f64_of_bits(next());
        if (!isfinite(x) || !isfinite(y)) continue;
        cr_assert_eq(ride_floor_row(x), floor(x), "%a", x);
        cr_assert_eq(ride_ceil_row(x), ceil(x), "%a", x);
        cr_assert_eq(ride_round_row(x), round(x), "%a", x);
        if (x >= 0) cr_assert_eq(ride_sqrt_row(x), sqrt(x), "%a", x);
        if (y != 0) cr_assert_eq(ride_bits_of_f64(ride_fmod_row(x, y)), ride_bits_of_f64(fmod(x, y)), "%a %a", x, y);
        else cr_assert(isnan(ride_fmod_row(x, y)));
    }
}

Test(math, the_calendar_equals_gmtime) {
    for (int i = 0; i < 500000; i++) {
        int64_t us =
            (int64_t)(next() % UINT64_C(250000000000000000)) - INT64_C(60000000000000000); /* years 69 to 7990 */
        time_t seconds = (time_t)ride_floor_div(us, 1000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        cr_assert(ride_hour_row(us) == tm.tm_hour && ride_minute_row(us) == tm.tm_min, "%ld", us);
        cr_assert(ride_weekday_row(us) == (tm.tm_wday + 6) % 7 && ride_day_of_month_row(us) == tm.tm_mday, "%ld", us);
        cr_assert_eq(ride_weekend_row(us), tm.tm_wday == 0 || tm.tm_wday == 6);
    }
}
