"""What races.py leaves out of ThreadSanitizer's reports: a library's own free, and nothing of ours beside it."""
import races

FREE = "    #0 free ../tsan_interceptors_posix.cpp:706 (libtsan.so.2+0x47e82)\n    #1 <null> <null> (librdkafka.so.1+0x108686)\n"
READ = "    #0 memcpy ../sanitizer_common.inc:827 (libtsan.so.2+0x5dda6)\n    #1 take_event ../../host/engine/service_fill.c:188 (ride+0x9cd57)\n"
CALLBACK = "    #0 on_stats ../../io/kafka_client.c:280 (ride+0x10)\n    #1 <null> <null> (librdkafka.so.1+0x45)\n"
OUR_FREE = "    #0 free ../tsan_interceptors_posix.cpp:706 (libtsan.so.2+0x47e82)\n    #1 on_stats ../../io/kafka_client.c:281 (ride+0x10)\n"


def report(first, second, kind="data race"):
    return (f"WARNING: ThreadSanitizer: {kind} (pid=1)\n  Write of size 8 at 0x7b by thread T15:\n{first}\n"
            f"  Previous read of size 1 at 0x7b by main thread:\n{second}\n")


def main():
    known = races.suppressions()
    assert known == {("free", "librdkafka"), ("pthread_rwlock_destroy", "librdkafka")}, known
    assert races.is_suppressed(report(FREE, READ), known)
    for text in (report(READ, FREE), report(READ, FREE, "heap-use-after-free"), report(FREE, READ, "heap-use-after-free"), report(CALLBACK, READ),
                 report(OUR_FREE, READ), report(FREE.replace("librdkafka", "libother"), READ), report(FREE.replace("free", "realloc"), READ)):
        assert not races.is_suppressed(text, known), text
        assert not races.is_suppressed(text, set())
    print("ok")


if __name__ == "__main__":
    main()
