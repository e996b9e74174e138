"""The frame of scripts/gpu-check: steps with a limit each and a budget for all, whose failures are kept and do not stop the rest."""
import os
import signal
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TAIL_BYTES = 4000


class Skipped(Exception):
    """The step cannot run here; the text says why."""


class Failed(Exception):
    """What was found wrong, and the output that shows it. numbers: what was measured all the same."""

    def __init__(self, reason, output="", numbers=None):
        super().__init__(reason)
        self.output, self.numbers = output, numbers or {}


class OutOfTime(Failed):
    """The step's limit was over."""


class Steps:
    def __init__(self, budget_s):
        self.started, self.budget_s = time.monotonic(), budget_s
        self.results, self.deadline = [], 0.0

    def left_s(self):
        return self.budget_s - (time.monotonic() - self.started)

    def step(self, name, limit_s, function):
        """Runs function() -> numbers; keeps what came of it. True when it passed."""
        limit_s = min(limit_s, self.left_s())
        begin = time.monotonic()
        self.deadline = begin + limit_s
        result = {"name": name, "status": "passed", "reason": "", "seconds": 0.0, "numbers": {}, "output_tail": ""}
        try:
            if limit_s < 3:
                raise Skipped(f"no time left of {self.budget_s:.0f} s")
            result["numbers"] = function() or {}
        except Skipped as why:
            result.update(status="skipped", reason=str(why))
        except OutOfTime as why:
            result.update(status="timeout", reason=str(why), numbers=why.numbers, output_tail=why.output[-TAIL_BYTES:])
        except Failed as why:
            result.update(status="failed", reason=str(why), numbers=why.numbers, output_tail=why.output[-TAIL_BYTES:])
        except Exception as error:  # our own mistake must not cost the other steps their only run
            result.update(status="failed", reason=f"gpu-check itself: {type(error).__name__}: {error}")
        result["seconds"] = round(time.monotonic() - begin, 2)
        self.results.append(result)
        print(f"{result['status']:<8} {name:<24} {result['seconds']:>6.1f} s  {result['reason']}".rstrip(), flush=True)
        for line in result["output_tail"].splitlines()[-12:]:
            print("    " + line, flush=True)
        return result["status"] == "passed"

    def run(self, command, ok=(0,), environment=None, limit_s=None):
        """The output of a command that must end with a code of `ok` within the step's limit (or limit_s, if that is less)."""
        command = [str(word) for word in command]
        limit_s = max(1.0, min(self.deadline - time.monotonic(), limit_s or 1e9))
        try:
            child = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                     env=dict(os.environ, **(environment or {})), start_new_session=True)
        except OSError as error:
            raise Failed(f"{command[0]}: {error.strerror}") from None
        try:
            output = child.communicate(timeout=limit_s)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output = child.communicate()[0].decode(errors="replace")
            raise OutOfTime(f"{Path(command[0]).name} did not end within {limit_s:.0f} s", output) from None
        if child.returncode not in ok:
            raise Failed(f"{Path(command[0]).name} ended with {child.returncode}", f"$ {' '.join(command)}\n{output}")
        return output
