/*
 * Two small programs from one file, both for scripts/bench-run and scripts/bench-verify.
 *
 * cc -O2 floor.c           the floor: the least that one evaluation costs. It makes the reads and
 *                          the durable writes of `policy-orchestrator run` in the current
 *                          directory and parses nothing, so what it writes is filler.
 *                          usage: floor [LINE_BYTES [STATE_BYTES]]
 * cc -O2 -DLAUNCH floor.c  the launcher: runs one program and prints what it used. It is tiny,
 *                          because the peak memory of a process starts with that of its parent.
 *                          usage: launch PROGRAM [ARGUMENT...]
 *                          prints: user_us system_us peak_kb exit_code signal wall_us
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

#ifdef LAUNCH

static long micros(struct timeval t)
{
    return t.tv_sec * 1000000L + t.tv_usec;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: launch PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    int null = open("/dev/null", O_WRONLY);
    if (null < 0)
        die("/dev/null");
    int out = dup(1);
    if (out < 0 || dup2(null, 1) < 0)
        die("dup");
    fcntl(out, F_SETFD, FD_CLOEXEC);
    close(null);

    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    /* vfork: no page tables are copied, so the child's account starts close to nothing */
    pid_t child = vfork();
    if (child < 0)
        die("vfork");
    if (child == 0) {
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    int status;
    struct rusage used;
    if (wait4(child, &status, 0, &used) < 0)
        die("wait4");
    clock_gettime(CLOCK_MONOTONIC, &after);
    dprintf(out, "%ld %ld %ld %d %d %ld\n", micros(used.ru_utime), micros(used.ru_stime),
            used.ru_maxrss, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            (after.tv_sec - before.tv_sec) * 1000000L + (after.tv_nsec - before.tv_nsec) / 1000);
    return 0;
}

#else

/* The tail of a file that grows; everything else is read whole. */
#define TAIL_JOURNAL 8192
#define TAIL_HISTORY 65536

static char buffer[1 << 20];

/* Opens without blocking, looks, reads, closes. Returns the number of bytes, or -1: no file. */
static ssize_t slurp(const char *path, off_t tail, int flags)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags);
    if (fd < 0) {
        if (errno == ENOENT)
            return -1;
        die(path);
    }
    struct stat st;
    if (fstat(fd, &st) < 0)
        die(path);
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        die(path);
    }
    off_t from = tail && st.st_size > tail ? st.st_size - tail : 0;
    off_t whole = st.st_size - from;
    size_t want = whole < (off_t)sizeof buffer ? (size_t)whole : sizeof buffer;
    size_t have = 0;
    while (have < want) {
        ssize_t n = pread(fd, buffer + have, want - have, from + (off_t)have);
        if (n < 0)
            die(path);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    close(fd);
    return (ssize_t)have;
}

static void put(int fd, const char *path, const char *bytes, size_t count)
{
    if (write(fd, bytes, count) != (ssize_t)count)
        die(path);
}

static void sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        die(path);
    close(fd);
}

/* Temporary file, fsync, rename, fsync of the directory. `again` is read before the rename. */
static void replace(const char *directory, const char *temporary, const char *target,
                    const char *bytes, size_t count, const char *again)
{
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        die(temporary);
    put(fd, temporary, bytes, count);
    if (fsync(fd) < 0)
        die(temporary);
    close(fd);
    if (again)
        slurp(again, 0, O_NOFOLLOW);
    if (rename(temporary, target) < 0)
        die(target);
    sync_directory(directory);
}

int main(int argc, char **argv)
{
    static const char *const inputs[] = {
        "trust_lock_state.json",
        "exports/integrity_metrics_registry.csv",
        "federation/weighted_consensus.json",
        "federation/reputation_index.json",
        "forensics/forensics_anomaly_forecast.json",
    };
    static const char *const optional[] = {
        "state/trust_lock_state.json",
        "policy/policy_thresholds.json",
    };
    static const char *const left_over[] = {
        "state/.policy_state.json.tmp",
        ".audit_summary.md.tmp",
    };
    size_t line_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    size_t state_bytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000;
    static char filler[1 << 16];
    if (line_bytes < 1 || line_bytes > sizeof filler || state_bytes > sizeof filler) {
        fprintf(stderr, "usage: floor [LINE_BYTES [STATE_BYTES]]\n");
        return 2;
    }
    memset(filler, 'x', sizeof filler);

    /* the lock, the time, and what a killed process left behind */
    int lock = open("state/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
        die("state/.lock");
    char who[32];
    int length = snprintf(who, sizeof who, "%ld\n", (long)getpid());
    if (pwrite(lock, who, (size_t)length, 0) != length)
        die("state/.lock");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (size_t i = 0; i < sizeof left_over / sizeof *left_over; i++)
        if (unlink(left_over[i]) < 0 && errno != ENOENT)
            die(left_over[i]);

    /* the state before the journal, then the inputs */
    slurp("state/policy_state.json", 0, O_NOFOLLOW);
    slurp("state/policy_state_log.jsonl", TAIL_JOURNAL, O_NOFOLLOW);
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++)
        slurp(optional[i], 0, 0);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        slurp(inputs[i], 0, 0);
    slurp("forensics/response_history.jsonl", TAIL_HISTORY, 0);

    /* the append is the commit point */
    const char *journal = "state/policy_state_log.jsonl";
    int fd = open(journal, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        die(journal);
    filler[line_bytes - 1] = '\n';
    put(fd, journal, filler, line_bytes);
    filler[line_bytes - 1] = 'x';
    if (fdatasync(fd) < 0)
        die(journal);
    close(fd);
    if (st.st_size == 0)
        sync_directory("state");

    replace("state", "state/.policy_state.json.tmp", "state/policy_state.json", filler,
            state_bytes, NULL);

    ssize_t marker = slurp("audit_summary.md", 0, O_NOFOLLOW);
    static char kept[sizeof buffer];
    if (marker > 0)
        memcpy(kept, buffer, (size_t)marker);
    replace(".", ".audit_summary.md.tmp", "audit_summary.md", kept,
            marker > 0 ? (size_t)marker : 0, "audit_summary.md");

    put(1, "standard output", filler, state_bytes);
    close(lock);
    return 0;
}

#endif
