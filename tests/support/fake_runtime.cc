/* support/fake_runtime.cc: the six calls of CUDA's runtime that kernels/cuda/probe.cu makes, answering what the environment says, and a
 * main() that prints what the probe found. For what a fake driver cannot show: devices, old ones among them, and their libraries.
 *   RIDE_FAKE_ANSWER=803                    what cudaGetDeviceCount answers (0)
 *   RIDE_FAKE_DRIVER_VERSION=12040          (13000)
 *   RIDE_FAKE_DEVICES="90 H200,61 Old card" each device's capability and name */
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/probe.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text != nullptr ? atoi(text) : otherwise;
}
static std::vector<std::string> devices() {
    std::vector<std::string> found;
    const char *text = getenv("RIDE_FAKE_DEVICES");
    for (std::string rest = text != nullptr ? text : ""; !rest.empty();) {
        size_t end = rest.find(',');
        found.push_back(rest.substr(0, end));
        rest = end == std::string::npos ? "" : rest.substr(end + 1);
    }
    return found;
}

extern "C" {
cudaError_t cudaRuntimeGetVersion(int *out) { return *out = 13000, cudaSuccess; }
cudaError_t cudaDriverGetVersion(int *out) { return *out = number("RIDE_FAKE_DRIVER_VERSION", 13000), cudaSuccess; }
cudaError_t cudaGetDeviceCount(int *out) {
    cudaError_t answer = (cudaError_t)number("RIDE_FAKE_ANSWER", 0);
    if (answer == cudaSuccess) *out = (int)devices().size(); /* a refusal leaves it as it was, as the real one does */
    return answer;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device) {
    std::string text = devices().at((size_t)device);
    memset(out, 0, sizeof *out);
    out->major = atoi(text.c_str()) / 10, out->minor = atoi(text.c_str()) % 10;
    out->totalGlobalMem = (size_t)3 << 29;
    snprintf(out->name, sizeof out->name, "%s", text.c_str() + text.find(' ') + 1);
    return cudaSuccess;
}
const char *cudaGetErrorName(cudaError_t) { return "cudaErrorOfTheTest"; }
cudaError_t cudaGetLastError(void) { return cudaSuccess; }
}

int main() {
    ride_error err = {};
    ride_status status = ride_cuda_probe(&err);
    printf("%s|%s|%s\n", ride_status_name(status), err.what, err.advice);
    for (uint32_t i = 0; i < ride_cuda_device_count(); i++)
        printf("usable %d %d %s\n", ride_cuda_device_ordinal(i), ride_cuda_device_capability(i),
               ride_cuda_device_name(i));
    ride_cuda_describe([](void *, const char *text) { printf("tells %s\n", text); }, nullptr);
    return ride_status_exit_code(status);
}
