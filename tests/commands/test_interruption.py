import signal
import threading
import time

import pytest
from regnet_ds.commands.interruption import insisting


class _Deaf:
    """Its finaliser is interrupted, and Python drops what was raised there."""

    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_is_dropped_comes_again():
    after = []
    with pytest.raises(KeyboardInterrupt), insisting(again=0.05):
        _Deaf()
        after.append("dropped")
        for _ in range(1000):
            time.sleep(0.01)
    assert after == ["dropped"]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_became_another_error_is_one():
    with pytest.raises(KeyboardInterrupt), insisting():
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as interrupt:
            raise SystemError("returned a result with an exception set") from interrupt
    with pytest.raises(SystemError), insisting():
        raise SystemError("of its own")


def test_a_block_that_ends_is_not_interrupted():
    with insisting(again=0.05):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


def test_other_handlers_and_threads_are_left_alone():
    def handler(*_):
        pass

    before = signal.signal(signal.SIGINT, handler)
    try:
        with insisting():
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)

    def elsewhere():
        with insisting():
            found.append(signal.getsignal(signal.SIGINT))

    found = []
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
