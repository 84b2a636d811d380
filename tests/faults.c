/* A machine whose disk and clock fail on demand: stands between a program and the C library (LD_PRELOAD).
 *
 * What changes files under FAULTS_FOLDER is counted, delayed, failed or ended by kill as the block of orders in the
 * file FAULTS_ORDERS says, which tests/faults.py writes while the program runs; with FAULTS_LOG it is also written
 * down there, in order. SQLite's shared memory and lock files are left alone: they are no disk.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct orders {
    char only[64];   /* counted and failed are only files whose path holds this */
    char spared[64]; /* and not those whose path ends with this */
    _Atomic int64_t calls, die_at, die_after, torn;
    _Atomic int64_t writes, fail_write, fail_writes;
    _Atomic int64_t syncs, fail_sync, fail_syncs, die_sync, sync_ms;
    _Atomic int64_t error, clock_ms;
};

struct record { /* in the log; the path follows, then the data or the other path */
    int32_t kind, path_length;
    int64_t at, length;
};

enum { WRITE = 1, CUT, SYNC, SYNC_FAILED, CREATE, RENAME, UNLINK, MKDIR, LINK };

static struct orders nothing, *orders = &nothing;
static const char *folder;
static int book = -1;

__attribute__((constructor)) static void begin(void) {
    const char *where = getenv("FAULTS_ORDERS"), *log = getenv("FAULTS_LOG");
    folder = getenv("FAULTS_FOLDER");
    if (where) {
        int file = syscall(SYS_openat, AT_FDCWD, where, O_RDWR | O_CLOEXEC, 0);
        void *block = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (block != MAP_FAILED) orders = block;
        syscall(SYS_close, file);
    }
    if (log && *log) book = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
}

static int ends(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

static int is_ours(const char *path) {
    return folder && !strncmp(path, folder, strlen(folder)) && !ends(path, "-shm") && !ends(path, ".lock");
}

static int names(int fd, char *path) {
    char link[64];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

static int whole(int at, const char *path, char *full) {
    if (!folder || !path) return 0;
    if (*path == '/') {
        snprintf(full, PATH_MAX, "%s", path);
    } else {
        char base[PATH_MAX];
        if (at == AT_FDCWD) {
            if (syscall(SYS_getcwd, base, sizeof base) < 0) return 0;
        } else if (names(at, base) == 0) {
            return 0;
        }
        if (snprintf(full, PATH_MAX, "%s/%s", base, path) >= PATH_MAX) return 0;
    }
    return is_ours(full);
}

static void note(int kind, const char *path, int64_t at, const void *data, int64_t length) {
    if (book < 0) return;
    struct record record = {kind, (int32_t)strlen(path), at, length};
    struct iovec parts[] = {{&record, sizeof record}, {(void *)path, record.path_length}, {(void *)data, length}};
    syscall(SYS_writev, book, parts, data ? 3 : 2);
}

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* The number of this call, 0 where it does not count; dies where it is to. */
static int64_t count(const char *path) {
    if (orders->only[0] && !strstr(path, orders->only)) return 0;
    if (orders->spared[0] && ends(path, orders->spared)) return 0;
    int64_t number = ++orders->calls;
    if (number == orders->die_at && !orders->torn) die();
    return number;
}

static void done(int64_t number) {
    if (number && number == orders->die_after) die();
}

static int fails(int64_t number, _Atomic int64_t *counter, int64_t first, int64_t many) {
    if (!number) return 0;
    int64_t mine = ++*counter;
    if (!first || mine < first || mine >= first + many) return 0;
    errno = orders->error;
    return 1;
}

static ssize_t put(int fd, const void *data, size_t length, off_t at) {
    char path[PATH_MAX];
    if (length == 0 || !names(fd, path))
        return at < 0 ? syscall(SYS_write, fd, data, length) : syscall(SYS_pwrite64, fd, data, length, at);
    int64_t number = count(path);
    if (fails(number, &orders->writes, orders->fail_write, orders->fail_writes)) return -1;
    int torn = number && orders->torn && orders->die_at && number >= orders->die_at;
    size_t some = torn ? (length + 1) / 2 : length;
    ssize_t written = at < 0 ? syscall(SYS_write, fd, data, some) : syscall(SYS_pwrite64, fd, data, some, at);
    if (written > 0) note(WRITE, path, at < 0 ? lseek(fd, 0, SEEK_CUR) - written : at, data, written);
    if (torn) die();
    done(number);
    return written;
}

ssize_t write(int fd, const void *data, size_t length) { return put(fd, data, length, -1); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return put(fd, data, length, at); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return put(fd, data, length, at); }

int ftruncate(int fd, off_t length) {
    char path[PATH_MAX];
    if (!names(fd, path)) return syscall(SYS_ftruncate, fd, length);
    int64_t number = count(path);
    int result = syscall(SYS_ftruncate, fd, length);
    if (!result) note(CUT, path, length, NULL, 0);
    done(number);
    return result;
}

int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

static int sync_of(int fd, long call) {
    char path[PATH_MAX];
    if (!names(fd, path)) return syscall(call, fd);
    int64_t number = count(path);
    const struct timespec pause = {0, 5 * 1000000};
    for (int64_t ms = 0; number && ms < orders->sync_ms; ms += 5) syscall(SYS_nanosleep, &pause, NULL);
    if (fails(number, &orders->syncs, orders->fail_sync, orders->fail_syncs)) {
        note(SYNC_FAILED, path, 0, NULL, 0);
        return -1;
    }
    int result = syscall(call, fd);
    if (!result) note(SYNC, path, 0, NULL, 0);
    if (number && orders->syncs == orders->die_sync) die();
    done(number);
    return result;
}

int fsync(int fd) { return sync_of(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_of(fd, SYS_fdatasync); }

static int open_at(int at, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    struct stat found;
    if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !whole(at, path, full))
        return syscall(SYS_openat, at, path, flags, mode);
    int there = !fstatat(AT_FDCWD, full, &found, 0);
    int64_t number = there && !(flags & O_TRUNC) ? 0 : count(full);
    int result = syscall(SYS_openat, at, path, flags, mode);
    if (result >= 0 && !there) note(CREATE, full, 0, NULL, 0);
    if (result >= 0 && there && flags & O_TRUNC) note(CUT, full, 0, NULL, 0);
    done(number);
    return result;
}

#define OPEN(name, parameters, at) \
    int name parameters { \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        return open_at(at, path, flags, mode); \
    }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int at, const char *path, int flags, ...), at)
OPEN(openat64, (int at, const char *path, int flags, ...), at)

static int name_change(int kind, long call, int from_at, const char *from, int to_at, const char *to, int flags) {
    char source[PATH_MAX], target[PATH_MAX] = "";
    int ours = whole(from_at, from, source) && (!to || whole(to_at, to, target));
    int64_t number = ours ? count(to ? target : source) : 0;
    int result = to ? syscall(call, from_at, from, to_at, to, flags) : syscall(call, from_at, from, flags);
    if (ours && !result) note(kind, source, 0, to ? target : NULL, strlen(target));
    done(number);
    return result;
}

int rename(const char *from, const char *to) {
    return name_change(RENAME, SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int at, const char *from, int to_at, const char *to) {
    return name_change(RENAME, SYS_renameat2, at, from, to_at, to, 0);
}
int link(const char *from, const char *to) { return name_change(LINK, SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int at, const char *from, int to_at, const char *to, int flags) {
    return name_change(LINK, SYS_linkat, at, from, to_at, to, flags);
}
int unlink(const char *path) { return name_change(UNLINK, SYS_unlinkat, AT_FDCWD, path, 0, NULL, 0); }
int unlinkat(int at, const char *path, int flags) { return name_change(UNLINK, SYS_unlinkat, at, path, 0, NULL, flags); }
int rmdir(const char *path) { return name_change(UNLINK, SYS_unlinkat, AT_FDCWD, path, 0, NULL, AT_REMOVEDIR); }
int mkdir(const char *path, mode_t mode) { return name_change(MKDIR, SYS_mkdirat, AT_FDCWD, path, 0, NULL, mode); }

int clock_gettime(clockid_t which, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, which, now);
    int64_t shift_ms = orders->clock_ms;
    if (shift_ms && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        int64_t ns = now->tv_nsec + shift_ms % 1000 * 1000000 + 1000000000;
        now->tv_sec += shift_ms / 1000 + ns / 1000000000 - 1;
        now->tv_nsec = ns % 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *now, void *zone) {
    struct timespec real;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &real);
    now->tv_sec = real.tv_sec;
    now->tv_usec = real.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *where) {
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    if (where) *where = real.tv_sec;
    return real.tv_sec;
}
