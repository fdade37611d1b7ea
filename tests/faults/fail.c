/* Makes calls fail on files whose path contains FAIL_PATH: FAIL_CALL is "write", "read" or "lock", from the FAIL_AFTER-th
   such call on with FAIL_ERRNO. Each call adds a dot to the file FAIL_COUNT. To be loaded with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int calls;

static int fails(int descriptor, const char *kind) {
    const char *path = getenv("FAIL_PATH"), *call = getenv("FAIL_CALL");
    char link[64], target[4096];
    if (!path || !call || strcmp(call, kind)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    if (!strstr(target, path)) return 0;
    const char *count = getenv("FAIL_COUNT"), *after = getenv("FAIL_AFTER"), *number = getenv("FAIL_ERRNO");
    if (count) {
        ssize_t (*plain)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
        int file = open(count, O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (file >= 0) {
            plain(file, ".", 1);
            close(file);
        }
    }
    if (__atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST) < (after ? atoi(after) : 0)) return 0;
    errno = number ? atoi(number) : EIO;
    return 1;
}

#define WRAP(result, name, kind, parameters, values, descriptor)        \
    result name parameters {                                            \
        static result (*next) parameters;                               \
        if (!next) next = dlsym(RTLD_NEXT, #name);                      \
        return fails(descriptor, kind) ? (result)-1 : next values;      \
    }
#define WRAP_STREAM(name, kind, pointer)                                                    \
    size_t name(pointer data, size_t size, size_t count, FILE *stream) {                    \
        static size_t (*next)(pointer, size_t, size_t, FILE *);                             \
        if (!next) next = dlsym(RTLD_NEXT, #name);                                          \
        return fails(fileno(stream), kind) ? 0 : next(data, size, count, stream);           \
    }

WRAP(ssize_t, write, "write", (int file, const void *data, size_t size), (file, data, size), file)
WRAP(ssize_t, pwrite, "write", (int file, const void *data, size_t size, off_t at), (file, data, size, at), file)
WRAP(ssize_t, pwrite64, "write", (int file, const void *data, size_t size, off64_t at), (file, data, size, at), file)
WRAP(ssize_t, writev, "write", (int file, const struct iovec *data, int count), (file, data, count), file)
WRAP(ssize_t, read, "read", (int file, void *data, size_t size), (file, data, size), file)
WRAP(ssize_t, pread, "read", (int file, void *data, size_t size, off_t at), (file, data, size, at), file)
WRAP(ssize_t, pread64, "read", (int file, void *data, size_t size, off64_t at), (file, data, size, at), file)
WRAP_STREAM(fwrite, "write", const void *)
WRAP_STREAM(fread, "read", void *)
WRAP(int, flock, "lock", (int file, int operation), (file, operation), file)

#define WRAP_CONTROL(name)                                                          \
    int name(int file, int command, ...) {                                          \
        static int (*next)(int, int, void *);                                       \
        va_list values;                                                             \
        va_start(values, command);                                                  \
        void *value = va_arg(values, void *);                                       \
        va_end(values);                                                             \
        if (!next) next = dlsym(RTLD_NEXT, #name);                                  \
        int locks = command == F_SETLK || command == F_SETLKW || command == F_GETLK; \
        return locks && fails(file, "lock") ? -1 : next(file, command, value);      \
    }

WRAP_CONTROL(fcntl)
WRAP_CONTROL(fcntl64)
