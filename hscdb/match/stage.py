"""match: detections of the same object in several visits become a star, and stars find their reference stars.

All of it is SQL (sql/match); this file only says in which order. The groups do not depend on the order of rows:

1. Seeds: the clearest detection of each small cube of space, where no cube within the radius was seen more often.
2. Each seed takes the nearest detection of each visit, if no other seed is nearer to it. What is left makes seeds
   again, until nothing is left.
3. The groups' mean places are the new centers, those too near to a richer one left out, and all detections are dealt
   out once more; twice.

So a star has at most one detection of each visit, every detection lies within the radius of the mean of its star, and
nothing is linked through a third.
"""

from math import radians, sin

from hscdb.db.queries import query
from hscdb.errors import DataError
from hscdb.image import flags
from hscdb.match.stage_config import Config
from hscdb.run.stage import Funnel, Work, stage

replace_work = query("match/replace_work")
insert_frames = query("match/insert_frames")
read_frames = query("match/read_frames")
insert_observations = query("match/insert_observations")
delete_duplicates = query("match/delete_duplicates")
delete_shadows = query("match/delete_shadows")
insert_seeds = query("match/insert_seeds")
link_observations = query("match/link_observations")
insert_means = query("match/insert_means")
insert_groups = query("match/insert_groups")
link_refs = query("match/link_refs")
insert_names = query("match/insert_names")
insert_stars = query("match/insert_stars")
insert_members = query("match/insert_members")
insert_refs = query("match/insert_refs")
count_stars = query("match/count_stars")
mark_filled = query("match/mark_filled")

# Rounds of seeds: one deals out all but the crowded places; what is left after eight stays single.
_N_ROUND = 8
_N_CENTERING = 2
# How often one visit may hold a detection, beyond which copies stay: each round halves them.
_N_COPY = 5
# Parts of the radius. Nearer detections of one CCD are one source listed twice (none is resolved at 0.1 arcsec); nearer
# centers are one star whose extra detections are shadows: positions of a star scatter by as much.
_SAME = 0.1
_SHADOW = 0.5


@stage(
    "match",
    per="tract",
    needs=("calibrate", "skymap"),
    reads=("frame_tract", "source", "source_sky", "ref_star"),
    writes=("star", "star_member", "star_ref"),
    config=Config,
)
def run(work: Work, config: Config) -> Funnel:
    """Match the stars of a tract and filter across visits and to the reference catalogs."""
    connection, tract, filter = work.connection, work.unit["tract"], work.unit["filter"]
    replace_work(connection)
    funnel = _select(work, config)
    n_pass = _group(work, config, funnel)
    link_refs(
        connection,
        radius_arcsec=config.ref_radius_arcsec,
        margin_arcsec=config.ref_margin_arcsec,
        n_observation_min=config.n_visit_min,
    )
    mark_filled(connection, work_table="match_ref")
    insert_names(connection, n_observation_min=config.n_visit_min)
    mark_filled(connection, work_table="match_name")
    task = {"run_id": work.run_id, "task_id": work.task_id}
    insert_stars(connection, **task, tract=tract, filter=filter, reserved_fraction=config.reserved_fraction)
    insert_members(connection, **task, **{"pass": n_pass})
    funnel["n_ref"] = insert_refs(connection, **task)
    counted = count_stars.one(connection, task_id=work.task_id)
    if not counted["n_star"]:
        raise DataError(
            f"match: no star in tract {tract}, {filter}: {funnel['n_observation']} point sources of "
            f"{funnel['n_frame']} frames, none of them in {config.n_visit_min} visits or in a reference catalog. "
            "Add visits that overlap, or lower match.n_visit_min or match.snr_min.",
            code="no_overlap",
        )
    return funnel | {name: int(counted[name]) for name in counted.dtype.names}


def _select(work: Work, config: Config) -> Funnel:
    """Fill match_observation. DataError `no_frames` or `too_few_stars`."""
    connection, tract, filter = work.connection, work.unit["tract"], work.unit["filter"]
    chosen = work.options.get("frames")
    insert_frames(
        connection, run_id=work.run_id, tract=tract, filter=filter,
        visits=None if chosen is None else chosen["visit"].tolist(),
        ccds=None if chosen is None else chosen["ccd"].tolist(),
    )  # fmt: skip
    mark_filled(connection, work_table="match_frame")
    frames = read_frames(connection)
    if not len(frames):
        raise DataError(
            f"match: no calibrated frame of tract {tract} in {filter}. Run calibrate and skymap on it first.",
            code="no_frames",
        )
    visits = sorted({int(visit) for visit in frames["visit"]})
    n_observation = insert_observations(
        connection,
        sky_run_ids=sorted({int(each) for each in frames["sky_run_id"]}),
        source_run_ids=sorted({int(each) for each in frames["source_run_id"]}),
        visits=visits,
        bad_flags=flags.word(*config.bad_flags),
        snr_min=config.snr_min,
        snr_max=config.snr_max,
        extendedness_max=config.extendedness_max,
        cell_pix=config.cell_pix,
        n_per_cell=config.n_per_cell,
        is_per_frame=config.is_per_frame,
        side=_sides(config)["side"],
    )
    mark_filled(connection, work_table="match_observation")
    sides, n_duplicate = _sides(config), 0
    for _ in range(_N_COPY):
        told = delete_duplicates.one(connection, **sides, same_chord=sides["chord"] * _SAME)
        n_duplicate += int(told["n_gone"])
        if told["n_crowded"] == 0:
            break
    return {
        "n_frame": len(frames),
        "n_visit": len(visits),
        "n_duplicate": n_duplicate,
        "n_observation": n_observation - n_duplicate,
    }


def _sides(config: Config) -> dict[str, float]:
    """The match radius as a chord of the unit sphere, and the side of the cubes in which neighbors are looked up.

    With cubes of ten radii a center lies near 1.7 of them on average; smaller cubes would be more, larger ones fuller.
    """
    chord = 2.0 * sin(radians(config.radius_arcsec / 3600.0) / 2.0)
    return {"chord": chord, "side": max(10.0 * chord, 1e-6)}


def _group(work: Work, config: Config, funnel: Funnel) -> int:
    """Group the detections; returns the last pass, whose links are the stars' members."""
    connection, sides = work.connection, _sides(config)
    fine_side = max(sides["chord"] / 2.0, 1e-6)
    n_free = funnel["n_observation"]
    number = 0
    for number in range(1, _N_ROUND + 1):
        if not insert_seeds(connection, **sides, **{"pass": number}, fine_side=fine_side):
            break
        mark_filled(connection, work_table="match_center")
        n_free -= link_observations(
            connection, **{"pass": number}, taken_from=1, radius_arcsec=config.radius_arcsec
        )
        mark_filled(connection, work_table="match_link")
        if n_free == 0:
            break
    first = 1
    for _ in range(_N_CENTERING):
        number += 1
        insert_means(connection, **{"pass": number}, from_pass=first)
        mark_filled(connection, work_table="match_center")
        delete_shadows(connection, **sides, shadow_chord=sides["chord"] * _SHADOW)
        link_observations(connection, **{"pass": number}, taken_from=number, radius_arcsec=config.radius_arcsec)
        mark_filled(connection, work_table="match_link")
        first = number
    insert_groups(connection, **sides, **{"pass": number}, ambiguous_fraction=config.ambiguous_fraction)
    mark_filled(connection, work_table="match_group")
    return number
