/* kernels/cpu/quadrature.h: Gauss and Legendre's points and weights on [0, 1]: n of them integrate polynomials below degree 2n exactly. */
#ifndef RIDE_KERNELS_CPU_QUADRATURE_H
#define RIDE_KERNELS_CPU_QUADRATURE_H
#include <stddef.h>
#include <stdint.h>

enum { RIDE_QUADRATURE_MAX = 65 };

/* Those of n points lie from n * (n - 1) / 2 on, ascending. */
static inline size_t ride_quadrature_first(uint32_t points) { return (size_t)points * (points - 1) / 2; }
/* Fills nodes and weights for 1 … points_most points; each has room for ride_quadrature_first(points_most + 1) numbers. The same bits on every
 * machine. */
void ride_quadratures(uint32_t points_most, double *nodes, double *weights);

#endif
