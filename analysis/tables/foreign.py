"""Results of other programs as our columns: pycls sweeps, the data of nds, timm's results.

What is recognised, and how its fields are named here:

- pycls ``sweep.json`` (``tools/sweep_collect.py``): a list of jobs with ``cfg`` and the metrics of
  every epoch. The error is the least over the epochs, of the averaged weights where there are
  any, as ``pycls/sweep/analysis.py`` has it. A job that did not reach its last epoch is running,
  or failed if it wrote to stderr.
- nds ``*.json``: a list of jobs with ``min_test_top1``, ``net`` and ``optim``; of the files of
  reruns an object of such lists (column ``group``).
- timm ``results-*.csv``: ``model``, ``top1_err``, ``param_count`` in millions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, cast

from ...designspace.blocks import block_name
from ...designspace.tables.columns import Columns
from ..records import Status

Row = dict[str, Any]
CURVE = "curve"  # a column: the error after each epoch, in percent
_NET = {"ds": "stage_depths", "ws": "stage_widths", "ss": "stage_strides"}


def translated(columns: Columns, source: str) -> Columns:
    """Return the columns under our names, or as they are if no other program wrote them.

    Raises
    ------
    ValueError
        If a job of a sweep lacks what every job has; its number is named.
    """
    if "cfg" in columns and ("log_file" in columns or "test_epoch" in columns):
        return _from_jobs(columns, _pycls_job, f"{source} (a pycls sweep)")
    if "min_test_top1" in columns:
        return _from_jobs(columns, _nds_job, f"{source} (data of nds)")
    groups = _nds_groups(columns)
    if groups:
        return _from_jobs(groups, _nds_job, f"{source} (data of nds)")
    if "error" not in columns and {"model", "top1_err", "param_count"} <= columns.keys():
        return _timm(columns, source)
    return columns


def _from_jobs(columns: Columns, read: Any, source: str) -> Columns:
    rows: list[Row] = []
    for i in range(len(next(iter(columns.values())))):
        try:
            rows.append(read({name: cells[i] for name, cells in columns.items()}))
        except Exception as error:  # whatever a job of another shape leads to
            raise ValueError(f"{source}, job {i + 1}: cannot be read ({error!r})") from error
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _pycls_job(job: Row) -> Row:
    cfg = job["cfg"]
    optim, train = cfg.get("OPTIM", {}), cfg.get("TRAIN", {})
    plain, averaged = job.get("test_epoch") or {}, job.get("test_ema_epoch") or {}
    found: Row = {
        "name": PurePosixPath(str(job.get("log_file", ""))).parent.name or None,
        "status": _pycls_status(job, plain),
        "error": _least(averaged) if averaged else _least(plain),
        "error_without_average": _least(plain) if averaged else None,
        CURVE: plain.get("top1_err"),
        "space": cfg.get("DESC") or None,
        "seed": cfg.get("RNG_SEED"),
        "epochs": optim.get("MAX_EPOCH"),
        "lr": optim.get("BASE_LR"),
        "weight_decay": optim.get("WEIGHT_DECAY"),
        "momentum": optim.get("MOMENTUM"),
        "batch_size": train.get("BATCH_SIZE"),
        "resolution": train.get("IM_SIZE"),
        "classes": cfg.get("MODEL", {}).get("NUM_CLASSES"),
        "data": train.get("DATASET"),
    }
    costs = job.get("complexity") or {}
    found |= {name: costs.get(name) for name in ("flops", "params", "acts")}
    kind = cfg.get("MODEL", {}).get("TYPE")
    return found | (_pycls_regnet(cfg) if kind == "regnet" else _pycls_anynet(cfg, kind))


def _pycls_status(job: Row, epochs: Mapping[str, Any]) -> str:
    if not epochs:
        return str(Status.FAILED if job.get("err") else Status.WAITING)
    done = epochs["epoch_ind"][-1] / epochs["epoch_max"][-1]
    if done >= 1:
        return str(Status.COMPLETE)
    return str(Status.FAILED if job.get("err") else Status.RUNNING)


def _least(epochs: Mapping[str, Any]) -> float | None:
    errors = epochs.get("min_top1_err") or epochs.get("top1_err")
    return min(errors) if errors else None


def _pycls_regnet(cfg: Mapping[str, Any]) -> Row:
    net = cfg["REGNET"]
    squeeze = float(net.get("SE_R", 0.25)) if net.get("SE_ON") else 0.0
    return {
        "block": block_name(str(net.get("BLOCK_TYPE", "res_bottleneck_block")), squeeze),
        "se_ratio": squeeze,
        "stem_width": net.get("STEM_W"),
        "depth": net["DEPTH"],
        "w0": net["W0"],
        "wa": net["WA"],
        "wm": net["WM"],
        "group_width": net["GROUP_W"],
        "bottleneck_ratio": 1 / float(net.get("BOT_MUL", 1.0)),
    }


def _pycls_anynet(cfg: Mapping[str, Any], kind: object) -> Row:
    if kind != "anynet":
        return {"family": kind}
    net = cfg["ANYNET"]
    squeeze = float(net.get("SE_R", 0.25)) if net.get("SE_ON") else 0.0
    multipliers = net.get("BOT_MULS") or []
    return {
        "block": block_name(str(net.get("BLOCK_TYPE", "res_bottleneck_block")), squeeze),
        "se_ratio": squeeze,
        "stem_width": net.get("STEM_W"),
        "depth": sum(net["DEPTHS"]),
        "stage_depths": net["DEPTHS"],
        "stage_widths": net["WIDTHS"],
        "stage_strides": net.get("STRIDES") or None,
        "stage_group_widths": net.get("GROUP_WS") or None,
        "stage_bottleneck_ratios": [1 / m for m in multipliers] or None,
    }


def _nds_job(job: Row) -> Row:
    net, optim = job.get("net") or {}, job.get("optim") or {}
    curve = job.get("test_ep_top1")
    found: Row = {
        "name": job.get("job_id"),
        "error": job["min_test_top1"],
        CURVE: curve,
        "epochs": len(curve) if curve else None,
        "seed": job.get("rng_seed"),
        "flops": job.get("flops"),
        "params": job.get("params"),
        "lr": optim.get("base_lr"),
        "weight_decay": optim.get("wd"),
        "space": net.get("block_type"),
        "group": job.get("group"),
    }
    found |= {ours: net[theirs] for theirs, ours in _NET.items() if theirs in net}
    if "ds" in net:
        found["depth"] = sum(net["ds"])
    if {"ws", "bot_muls", "num_gs"} <= net.keys():
        inner = [w * m for w, m in zip(net["ws"], net["bot_muls"], strict=True)]
        found["stage_bottleneck_ratios"] = [1 / m for m in net["bot_muls"]]
        found["stage_group_widths"] = [
            max(1, round(w / g)) for w, g in zip(inner, net["num_gs"], strict=True)
        ]
    others = {k: v for k, v in net.items() if isinstance(v, int | float) and k not in found}
    return found | {name: value for name, value in others.items() if not isinstance(value, bool)}


def _nds_groups(columns: Columns) -> Columns:
    """Return the jobs of all lists of an object {"top": [...], "mid": [...]}, or nothing."""
    jobs: list[Row] = []
    for name, cells in columns.items():
        listed = cast(list[Any], cells[0]) if len(cells) == 1 else None
        if not isinstance(listed, list) or not listed:
            return {}
        for job in listed:
            if not isinstance(job, dict) or "min_test_top1" not in job:
                return {}
            jobs.append({**cast(Row, job), "group": name})
    names = dict.fromkeys(name for job in jobs for name in job)
    return {name: [job.get(name) for job in jobs] for name in names}


def _timm(columns: Columns, source: str) -> Columns:
    found: Columns = {"name": columns["model"], "error": columns["top1_err"]}
    scaled = {"param_count": ("params", 1e6), "gmacs": ("flops", 1e9), "macts": ("acts", 1e6)}
    for theirs, (ours, scale) in scaled.items():
        for column in (theirs, f"infer_{theirs}"):
            if column in columns and ours not in found:
                found[ours] = [_scaled(c, scale, source, theirs) for c in columns[column]]
    if "img_size" in columns:
        found["resolution"] = columns["img_size"]
    taken = {"model", "top1_err", "param_count", "gmacs", "macts", "img_size"}
    return found | {name: cells for name, cells in columns.items() if name not in taken}


def _scaled(cell: Any, scale: float, source: str, column: str) -> float | None:
    if cell is None or str(cell).strip() == "":
        return None
    try:
        return round(float(str(cell).replace(",", "")) * scale)
    except ValueError:
        raise ValueError(f"{source}, column {column}: expected a number, got {cell!r}") from None
