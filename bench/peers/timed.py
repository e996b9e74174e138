"""bench/peers/timed.py EVENTS COMMAND…: runs a command and prints, in the words of the peers, wall and CPU time per event of the whole
process, for bench/harness --metric. Python 3 alone."""
import resource
import subprocess
import sys
import time


def main():
    events, command = int(sys.argv[1]), sys.argv[2:]
    started = time.perf_counter()
    subprocess.run(command, check=True)
    wall = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = usage.ru_utime + usage.ru_stime
    print(f"wall_ns_per_event={1e9 * wall / events:.1f}\ncpu_ns_per_event={1e9 * cpu / events:.1f}\n"
          f"process_cpu_ns_per_event={1e9 * cpu / events:.1f}")


if __name__ == "__main__":
    main()
