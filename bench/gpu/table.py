"""The result of gpu-check as a page for people."""


def rate(value):
    return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k" if value >= 1e4 else f"{value:.0f}"


def crossover(numbers):
    lines = ["## Rows a second by batch size", "",
             "Submit to completion, batches filled before, both backends in turn; cpu is one thread.", "",
             "| rows of a batch | cpu | cuda | cuda / cpu | device busy | same bytes |", "|---|---|---|---|---|---|"]
    for row in numbers["sizes"]:
        cpu, cuda = row.get("cpu"), row.get("cuda")
        if cpu and cuda:
            lines.append(f"| {row['rows_of_a_batch']} | {rate(cpu['rows_per_s'])} | {rate(cuda['rows_per_s'])} | "
                         f"{cuda['rows_per_s'] / cpu['rows_per_s']:.2f} | {cuda['busy']:.0%} | {'yes' if row['same_bytes'] else 'NO'} |")
    first = numbers["cuda_faster_from_rows"]
    lines += ["", f"cuda is faster from batches of {first} rows on." if first else "cuda is not faster at the largest batch."]
    return lines


def floors(numbers):
    lines = ["## Floors of this device", "", "| | |", "|---|---|"]
    return lines + [f"| {name} | {figure['value']:.4g} {figure['unit']} |" for name, figure in numbers.items()]


def kernels(numbers):
    lines = ["## Kernels", "", f"Source: {numbers['source']}. Shares are of the bandwidth measured here and of four instructions a cycle and "
             "multiprocessor; what is far below both waits for something else.", "",
             "| kernel | launches | us | of bandwidth | of issue | registers |", "|---|---|---|---|---|---|"]
    for name, row in sorted(numbers["kernels"].items(), key=lambda item: -item[1]["us"] * item[1]["launches"]):
        share = ["" if row.get(key) is None else f"{row[key]:.1%}" for key in ("of_bandwidth", "of_issue")]
        lines.append(f"| {name} | {row['launches']} | {row['us']:.4g} | {share[0]} | {share[1]} | {row.get('registers') or ''} |")
    return lines


def page(result):
    device = result["device"]
    title = "Rehearsal, emulated: no GPU was used and no figure here means anything" if result["rehearsal"] else device["name"]
    lines = [f"# {title}", "",
             f"{result['date']}, commit {result['commit'][:12]}{' with changes' if result['dirty'] else ''}, `{result['command']}`"]
    if not result["rehearsal"]:
        lines.append(f"Driver {device['driver']}, compute capability {device['compute_cap']}, {device['memory']}, CUDA {result['cuda']}.")
    lines += ["", "| step | | seconds | |", "|---|---|---|---|"]
    lines += [f"| {s['name']} | {s['status']} | {s['seconds']:.1f} | {s['reason'].replace('|', '/')} |" for s in result["steps"]]
    parts = {"floors": floors, "crossover": crossover, "kernels": kernels}
    for step in result["steps"]:
        if step["name"] in parts and step["numbers"]:
            lines += [""] + parts[step["name"]](step["numbers"])
    return "\n".join(lines) + "\n"
