/* backend/plugin.h: finding and loading one plugin. Private to the registry. */
#ifndef RIDE_BACKEND_PLUGIN_H
#define RIDE_BACKEND_PLUGIN_H
#include "ride/backend.h"

#include <stddef.h>

/* Finds libride_NAME.so and gives its entry; `origin` gets the file's path. Each failure has its own message: not found
 * anywhere, not loadable (the loader's words), no entry. Loaded files stay loaded. */
ride_status ride_plugin_load(const char *name, const char *path, ride_backend_entry_fn *out, char *origin,
                             size_t origin_bytes_max, ride_error *err);

#endif
