"""The parts of gpu-check that need no machine: what programs print, as numbers; steps that fail, hang or come too late."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import device  # noqa: E402
import read  # noqa: E402
import table  # noqa: E402
from runner import Failed, Skipped, Steps  # noqa: E402

NCU = '''==PROF== Connected to process 77
size=4096 backend=cpu round=0 rows=16384 ns=1 busy_ns=1 crc=00000000
"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size","Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"
"0","77","crossover","127.0.0.1","ride_rows_begin(ride_cuda_batch)","1","13","(256, 1, 1)","(16, 1, 1)","0","9.0","Command line profiler metrics","dram__bytes_read.sum","byte","2,000,000"
"0","77","crossover","127.0.0.1","ride_rows_begin(ride_cuda_batch)","1","13","(256, 1, 1)","(16, 1, 1)","0","9.0","Command line profiler metrics","gpu__time_duration.sum","ns","4,000"
"0","77","crossover","127.0.0.1","ride_rows_begin(ride_cuda_batch)","1","13","(256, 1, 1)","(16, 1, 1)","0","9.0","Command line profiler metrics","sm__cycles_elapsed.max","cycle","1,000"
"0","77","crossover","127.0.0.1","ride_rows_begin(ride_cuda_batch)","1","13","(256, 1, 1)","(16, 1, 1)","0","9.0","Command line profiler metrics","sm__inst_executed.sum","inst","80,000"
"1","77","crossover","127.0.0.1","ride_rows_begin(ride_cuda_batch)","1","13","(256, 1, 1)","(16, 1, 1)","0","9.0","Command line profiler metrics","gpu__time_duration.sum","ns","4,200"
'''


def test_kernels_beside_their_limits():
    measured = read.ncu(NCU)
    assert measured["ride_rows_begin"]["gpu__time_duration.sum"] == [4000, 4200]
    row = read.kernels(measured, {"device_read": {"value": 1000, "unit": "GB/s"}}, 100)["ride_rows_begin"]
    assert row["launches"] == 2 and row["us"] == 4.1
    assert row["of_bandwidth"] == round(2e6 / 1000 / 1e3 / 4.1, 4)  # 2 us of 4.1
    assert row["of_issue"] == 0.2
    assert read.ncu("==ERROR== no permission\n") == {}
    assert "ride_rows_begin" in "\n".join(table.kernels({"source": "x", "kernels": {"ride_rows_begin": row}}))


def test_times_of_the_plugin_add_up():
    assert read.timing("ride_a 2 4000\nnoise\nride_a 2 8000\nride_b 0 0\n") == {"ride_a": {"launches": 4, "us": 3.0}}


def line(size, backend, number, ns, crc="11111111"):
    return f"size={size} backend={backend} round={number} rows=1000 ns={ns} busy_ns={ns // 2} crc={crc}\n"


def test_crossover_is_where_cuda_stays_faster():
    text = "".join(line(size, backend, n, ns) for n in (0, 1, 2) for size, cpu, cuda in ((1, 10, 90), (16, 50, 40), (64, 30, 60), (256, 90, 10), (1024, 90, 5))
                   for backend, ns in (("cpu", cpu), ("cuda", cuda)))
    numbers = read.crossover(text)
    assert numbers["cuda_faster_from_rows"] == 256 and not numbers["different"]
    assert numbers["sizes"][0]["cpu"]["rows_per_s"] == 100_000_000_000 and numbers["sizes"][0]["cpu"]["busy"] == 0.5
    assert read.crossover(text + line(16, "cuda", 0, 1, "22222222"))["different"] == [16]
    slow = read.crossover("".join(line(1, backend, n, ns) for n in (0, 1) for backend, ns in (("cpu", 1), ("cuda", 2))))
    assert slow["cuda_faster_from_rows"] is None and "not faster" in table.crossover(slow)[-1]


def test_conformance_output():
    text = "[PASS] a::cuda (1.25 s, 7 rounds)\n[FAIL] b::cuda (0.10 s)\n[SKIP] backend::cuda: no driver\n" \
           "[====] Synthesis: Tested: 2 | Passing: 1 | Failing: 1 | Crashing: 0\n"
    came = read.conformance(text)
    assert came["cases"]["a::cuda"] == {"passed": True, "seconds": 1.25, "rounds": 7} and came["failing"] == 1
    assert came["skips"] == {"backend::cuda": "no driver"} and not read.LACKS.match(came["skips"]["backend::cuda"])
    assert read.LACKS.match("cuda_emulated lacks ensembles")
    assert read.conformance("Segmentation fault\n") is None


def test_floors():
    assert read.figures("launch_and_wait 4.5 us\nnoise here to skip it\nmultiprocessors 132 \n") == {
        "launch_and_wait": {"value": 4.5, "unit": "us"}, "multiprocessors": {"value": 132, "unit": ""}}


def test_steps_fail_one_by_one_and_the_rest_goes_on(capsys):
    steps = Steps(60)

    def skips():
        raise Skipped("no tool")

    def breaks():
        raise Failed("three differ", "row 1\nrow 2\n", {"rows": 3})

    assert steps.step("good", 10, lambda: {"n": 1})
    assert not steps.step("skips", 10, skips) and not steps.step("breaks", 10, breaks)
    assert not steps.step("ends badly", 10, lambda: steps.run(["sh", "-c", "echo words; exit 3"]))
    assert not steps.step("hangs", 3.2, lambda: steps.run(["sh", "-c", "echo begun; sleep 60"]))
    assert not steps.step("is not there", 10, lambda: steps.run(["/nonexistent/tool"]))
    assert not steps.step("our mistake", 10, lambda: 1 // 0)
    statuses = {r["name"]: r["status"] for r in steps.results}
    assert statuses == {"good": "passed", "skips": "skipped", "breaks": "failed", "ends badly": "failed", "hangs": "timeout",
                        "is not there": "failed", "our mistake": "failed"}
    results = {r["name"]: r for r in steps.results}
    assert results["breaks"]["numbers"] == {"rows": 3} and "row 2" in results["breaks"]["output_tail"]
    assert "words" in results["ends badly"]["output_tail"] and "begun" in results["hangs"]["output_tail"]
    assert "row 2" in capsys.readouterr().out


def test_nothing_begins_when_the_budget_is_over():
    steps = Steps(1)
    assert not steps.step("late", 10, lambda: {"n": 1})
    assert steps.results[0]["status"] == "skipped" and "no time left" in steps.results[0]["reason"]


def test_names_of_devices():
    assert device.slug("NVIDIA H200") == "h200" and device.slug("NVIDIA A100-SXM4-80GB") == "a100-sxm4-80gb"
