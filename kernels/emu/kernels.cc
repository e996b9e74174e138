/* kernels/emu/kernels.cc: the names of kernels, and the file in which it is written which of them have run. */
#include "kernels/emu/runtime.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

namespace ride_emu {

/* A kernel is visible by name (__global__), so the dynamic linker knows it. */
const std::string &kernel_name(const void *kernel) {
    static std::map<const void *, std::string> &names = *new std::map<const void *, std::string>;
    std::string &name = names[kernel];
    if (!name.empty()) return name;
    Dl_info info;
    if (dladdr(kernel, &info) != 0 && info.dli_sname != nullptr && info.dli_saddr == kernel) name = info.dli_sname;
    else {
        char text[32];
        snprintf(text, sizeof text, "kernel at %p", kernel);
        name = text;
    }
    return name;
}

/* Appends the name to the file unless it is there. The lock is for other programs of the same test run. */
static void append_once(const char *path, const std::string &name) {
    int file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file < 0 || flock(file, LOCK_EX) != 0) {
        fprintf(stderr, "emulator: RIDE_EMU_EXECUTED=%s cannot be written\n", path);
        if (file >= 0) close(file);
        return;
    }
    std::string text = "\n";
    char part[4096];
    for (ssize_t n; (n = read(file, part, sizeof part)) > 0;) text.append(part, (size_t)n);
    if (text.find("\n" + name + "\n") == std::string::npos) {
        std::string line = name + "\n";
        if (write(file, line.data(), line.size()) != (ssize_t)line.size())
            fprintf(stderr, "emulator: RIDE_EMU_EXECUTED=%s cannot be written\n", path);
    }
    close(file);
}

void note_executed(const std::string &name) {
    static std::set<std::string> &noted = *new std::set<std::string>;
    const char *path = getenv("RIDE_EMU_EXECUTED");
    if (path == nullptr || *path == 0 || !noted.insert(name).second) return;
    append_once(path, name);
}

} // namespace ride_emu

using namespace ride_emu;

cudaError_t ride_emu_function_attributes(cudaFuncAttributes *attributes, const void *kernel) {
    Call call("cudaFuncGetAttributes");
    if (call.refused()) return call.end();
    if (kernel == nullptr) return call.end(cudaErrorInvalidDeviceFunction);
    *attributes = {};
    attributes->maxThreadsPerBlock = 1024;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    return call.end();
}
