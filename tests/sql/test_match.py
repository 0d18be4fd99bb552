"""match in SQL: the stories, the brute-force twin, and independence of the order of rows."""

import numpy as np
import pytest
from match_world import fill, groups, insert_refs, match, observations, stars
from sqlalchemy import text

from hscdb.errors import DataError
from hscdb.image import flags
from hscdb.sky import sphere

SKY = [(150.0, 2.0), (0.0, 0.0), (359.9999, -60.0), (10.0, 90.0), (200.0, -89.9999), (45.0, 89.9)]


def near(ra, dec, east_arcsec, north_arcsec):
    """Places around a direction."""
    return sphere.deproject(np.asarray(east_arcsec) / 3600, np.asarray(north_arcsec) / 3600, ra, dec)


@pytest.mark.parametrize(("ra", "dec"), SKY)
def test_one_star_seen_in_each_visit_becomes_one_star(connection, ra, dec):
    east, north = np.array([0.05, -0.08, 0.02, 0.0]), np.array([0.01, 0.03, -0.06, 0.1])
    at = near(ra, dec, east, north)
    world = fill(connection, observations(np.arange(1, 5), *at, flux=[100.0, 110.0, 120.0, 150.0], err=1.0))
    _, task = match(connection, world)
    (star,) = stars(connection, task)
    assert groups(connection, task) == {1: sorted(world.source_id)}
    assert (star.n_visit, star.is_ambiguous, star.flux_njy) == (4, False, 115.0)
    middle = near(ra, dec, east.mean(), north.mean())
    assert sphere.separation(star.ra, star.dec, *middle) * 3.6e6 < 0.01
    assert 0 <= star.ra < 360
    sep = connection.execute(text("SELECT sep_mas FROM star_member ORDER BY visit")).scalars().all()
    np.testing.assert_allclose(sep, 1e3 * np.hypot(east - east.mean(), north - north.mean()), atol=0.05)


def test_the_nearest_of_two_detections_of_a_visit_is_taken(connection):
    at = near(10.0, 20.0, [0.0, 0.05, 0.0, 0.6], [0.0, 0.0, 0.05, 0.0])
    world = fill(connection, observations([1, 2, 3, 3], *at))
    _, task = match(connection, world)
    assert groups(connection, task) == {1: sorted(world.source_id[:3])}
    assert stars(connection, task)[0].is_ambiguous


def test_two_stars_within_the_radius_stay_two(connection):
    visit = np.repeat([1, 2, 3, 4], 2)
    at = near(359.99999, 0.0, np.tile([0.0, 0.7], 4) + 0.02 * np.sin(np.arange(8)), 0.02 * np.cos(np.arange(8)))
    world = fill(connection, observations(visit, *at, ccd=0))
    _, task = match(connection, world)
    by_place = sorted(groups(connection, task).values())
    assert by_place == sorted([sorted(world.source_id[0::2]), sorted(world.source_id[1::2])])
    assert all(star.is_ambiguous and star.n_visit == 4 for star in stars(connection, task))


@pytest.mark.parametrize(("n_stray", "is_ambiguous"), [(2, False), (3, True)])
def test_a_neighbor_is_one_that_is_seen_again_and_again(connection, n_stray, is_ambiguous):
    visit = np.append(np.arange(1, 41), np.arange(1, n_stray + 1))
    world = fill(
        connection, observations(visit, *near(123.0, 4.0, np.where(np.arange(visit.size) < 40, 0.0, 0.7), 0.0))
    )
    _, task = match(connection, world, n_visit_min=10)
    (star,) = stars(connection, task)
    assert (star.n_visit, star.is_ambiguous) == (40, is_ambiguous)


def test_many_to_one_keeps_one_detection_of_a_visit(connection):
    at = near(80.0, -30.0, [0.0, 0.0, 0.02, 0.3, 0.5], [0.0, 0.03, 0.0, 0.3, 0.0])
    world = fill(connection, observations([1, 2, 3, 3, 3], *at))
    _, task = match(connection, world)
    assert groups(connection, task) == {1: sorted(world.source_id[:3])}


def test_detections_do_not_chain(connection):
    # 0.8" apart each: neighbors are within the radius, the ends are not.
    at = near(100.0, 45.0, 0.8 * np.arange(6), np.zeros(6))
    world = fill(connection, observations(np.arange(1, 7), *at))
    _, task = match(connection, world, n_visit_min=1)
    for star in stars(connection, task):
        members = groups(connection, task)[star.star_id]
        chosen = np.isin(world.source_id, members)
        assert (sphere.separation(star.ra, star.dec, at[0][chosen], at[1][chosen]) * 3600 <= 1.0).all()
        assert chosen.sum() <= 3


def test_overlapping_ccds_give_one_detection_of_a_visit(connection):
    at = near(5.0, 5.0, [0.0, 0.03, 0.01, 0.04], [0.0, 0.0, 0.02, 0.02])
    rows = observations([1, 1, 2, 2], *at, ccd=[0, 1, 0, 1], err=[10.0, 5.0, 10.0, 20.0])
    world = fill(connection, rows)
    funnel, task = match(connection, world)
    assert groups(connection, task) == {1: sorted(world.source_id[[1, 2]])}
    assert funnel["n_duplicate"] == 2
    assert not stars(connection, task)[0].is_ambiguous
    funnel, task = match(connection, world, is_per_frame=True)
    assert groups(connection, task) == {1: sorted(world.source_id)}
    assert stars(connection, task)[0].n_visit == 2
    assert funnel["n_duplicate"] == 0


def test_two_detections_of_one_ccd_are_no_duplicates(connection):
    at = near(5.0, 5.0, [0.0, 0.7, 0.0, 0.7], [0.0, 0.0, 0.01, 0.01])
    world = fill(connection, observations([1, 1, 2, 2], *at, err=[10.0, 5.0, 10.0, 20.0]))
    funnel, task = match(connection, world)
    assert funnel["n_duplicate"] == 0
    assert len(groups(connection, task)) == 2


def test_a_source_listed_twice_does_not_split_its_star(connection):
    # as in HSC's matched catalogs: visit 2 holds the same row twice, once more than visit 1
    at = near(320.7, -0.4, [0.0, 0.02, 0.02, 0.02], [0.0, 0.0, 0.0, 0.01])
    world = fill(connection, observations([1, 2, 2, 2], *at))
    funnel, task = match(connection, world)
    assert list(groups(connection, task).values()) == [sorted(world.source_id[:2])]
    assert funnel["n_duplicate"] == 2
    assert not stars(connection, task)[0].is_ambiguous


def test_a_shadow_does_not_take_detections_from_a_star(connection):
    # a second detection 0.3" off in two of five visits makes no star of its own, and leaves the star whole
    at = near(320.7, -0.4, [0.0, 0.02, 0.01, 0.0, 0.01, 0.3, 0.31], np.zeros(7))
    world = fill(connection, observations([1, 2, 3, 4, 5, 4, 5], *at))
    _, task = match(connection, world)
    assert list(groups(connection, task).values()) == [sorted(world.source_id[:5])]
    assert stars(connection, task)[0].is_ambiguous


def test_a_star_needs_two_visits_or_a_reference_star(connection):
    at = near(33.0, -5.0, [0.0, 60.0, 120.0, 60.1], [0.0, 0.0, 0.0, 0.0])
    world = fill(connection, observations([1, 1, 1, 2], *at))
    insert_refs(connection, "gaia", *near(33.0, -5.0, [120.3, 60.0], [0.0, 0.2]))
    _, task = match(connection, world)
    assert sorted(groups(connection, task).values()) == sorted([sorted(world.source_id[[1, 3]]), [world.source_id[2]]])
    assert sorted(star.n_visit for star in stars(connection, task)) == [1, 2]


def test_bad_extended_and_faint_sources_are_left_out(connection):
    at = near(33.0, -5.0, 30.0 * np.repeat(np.arange(6), 2), np.zeros(12))
    bad = flags.word("saturated")
    rows = observations(
        np.tile([1, 2], 6),
        *at,
        flags=np.repeat([0, bad, 0, 0, 0, flags.word("psf_used")], 2),
        extendedness=np.repeat([0, 0, 1, 0, np.nan, 0], 2),
        err=np.repeat([10, 10, 10, 200, 10, 10.0], 2),
    )
    world = fill(connection, rows)
    _, task = match(connection, world)
    wanted = [sorted(world.source_id[2 * k : 2 * k + 2]) for k in (0, 4, 5)]
    assert sorted(groups(connection, task).values()) == sorted(wanted)


def test_the_brightest_of_each_cell_are_taken(connection):
    n = 20
    at = near(33.0, -5.0, 30.0 * np.tile(np.arange(n), 2), np.zeros(2 * n))
    rows = observations(
        np.repeat([1, 2], n), *at, flux=np.tile(100.0 + np.arange(n), 2), err=1.0, x=np.tile(np.arange(n) * 50.0, 2)
    )
    world = fill(connection, rows)
    _, task = match(connection, world, n_per_cell=3)
    taken = {tuple(members) for members in groups(connection, task).values()}
    # x < 512: 0..10, of which 8, 9, 10 are brightest; the rest: 17, 18, 19
    assert taken == {tuple(sorted(world.source_id[[k, k + n]])) for k in (8, 9, 10, 17, 18, 19)}


def test_nothing_in_common_is_told(connection):
    world = fill(connection, observations([1, 2], [10.0, 11.0], [0.0, 0.0]))
    with pytest.raises(DataError) as caught:
        match(connection, world)
    assert caught.value.code == "no_overlap"


def test_only_the_chosen_frames_are_matched(connection):
    world = fill(connection, observations([1, 2, 3], *near(10.0, 0.0, [0.0] * 3, [0.0] * 3)))
    funnel, task = match(connection, world)
    ccd = connection.execute(text("SELECT DISTINCT ccd FROM star_member WHERE task_id = :t"), {"t": task}).scalar_one()
    frames = np.array([(1, ccd), (3, ccd)], [("visit", "i8"), ("ccd", "i4")])
    fewer, task = match(connection, world, frames)
    assert (funnel["n_frame"], fewer["n_frame"]) == (3, 2)
    visits = connection.execute(text("SELECT visit FROM star_member WHERE task_id = :t ORDER BY 1"), {"t": task})
    assert visits.scalars().all() == [1, 3]


def test_no_frame_is_told(connection):
    world = fill(connection, observations([1], [10.0], [0.0]))
    world.filter = "HSC-G"
    with pytest.raises(DataError) as caught:
        match(connection, world)
    assert caught.value.code == "no_frames"


def test_reserved_stars_are_a_tenth_and_always_the_same(connection):
    rng = np.random.default_rng(4)
    n = 3000
    at = near(200.0, 30.0, rng.uniform(-3000, 3000, n), rng.uniform(-3000, 3000, n))
    rows = np.concatenate([observations(visit, *at, x=np.arange(n) * 99.0) for visit in (1, 2)])
    world = fill(connection, rows)
    _, first = match(connection, world)
    _, second = match(connection, world, snr_min=9.0)
    reserved = [{star.star_id for star in stars(connection, task) if star.is_reserved} for task in (first, second)]
    assert reserved[0] == reserved[1]
    assert 0.07 * n < len(reserved[0]) < 0.13 * n


def test_catalogs_made_elsewhere_match_too(connection):
    at = near(0.0, 0.0, [0.0, 0.1, 0.05], [0.0, 0.1, 0.0])
    world = fill(connection, observations([1, 2, 3], *at, flux=np.nan, err=np.nan, extendedness=np.nan), detect=False)
    _, task = match(connection, world)
    (star,) = stars(connection, task)
    assert (star.n_visit, star.flux_njy) == (3, None)


def crowded(seed, ra, dec, n_star=150, n_visit=6, size=25.0):
    """Observations of stars so dense that most have neighbors within the radius."""
    rng = np.random.default_rng(seed)
    east, north = rng.uniform(-size, size, (2, n_star))
    rows = []
    for visit in range(1, n_visit + 1):
        seen = rng.uniform(size=n_star) < 0.8
        at = near(ra, dec, (east + rng.normal(0, 0.1, n_star))[seen], (north + rng.normal(0, 0.1, n_star))[seen])
        rows.append(observations(visit, *at, err=rng.uniform(1, 50, seen.sum()), ccd=rng.integers(0, 2, seen.sum())))
    return np.concatenate(rows)


@pytest.mark.parametrize("place", range(len(SKY)))
def test_groups_equal_the_brute_force_twin(connection, place):
    rows = crowded(place, *SKY[place])
    rows = rows[rows["flux"] / rows["err"] >= 10]
    world = fill(connection, rows)
    _, task = match(connection, world, is_per_frame=False)
    wanted, ambiguous = twin(rows, world.source_id)
    found = groups(connection, task)
    assert sorted(found.values()) == sorted(wanted)
    marked = {tuple(found[star.star_id]): star.is_ambiguous for star in stars(connection, task)}
    assert marked == ambiguous


def twin(rows, source_id, radius=1.0, n_min=2):
    """The same algorithm by full distance matrices and Python loops."""
    place = sphere.unit_vector(rows["ra"], rows["dec"])
    snr = rows["flux"] / rows["err"]
    chord = 2 * np.sin(np.radians(radius / 3600) / 2)
    keep = np.arange(len(rows))
    for _ in range(5):
        keep = keep[resolve(rows[keep], source_id[keep], snr[keep], apart2(place[keep]), chord)]
    place, snr, ids, visit = place[keep], snr[keep], source_id[keep], rows["visit"][keep]
    chord2 = apart2(place)
    fine = [tuple(cell) for cell in np.floor((place + 1) / (chord / 2)).astype(int)]
    free, centers = set(range(len(ids))), {}
    for _ in range(8):
        cells = {}
        for k in free:
            cells.setdefault(fine[k], []).append(k)
        best = {max(c, key=lambda k: (snr[k], -ids[k])): len({visit[k] for k in c}) for c in cells.values()}
        rank = {k: (n, snr[k], *place[k], -ids[k]) for k, n in best.items()}
        seeds = [k for k in best if not any(rank[j] > rank[k] and chord2[j, k] <= chord**2 for j in best)]
        linked = deal({ids[k]: place[k] for k in seeds}, place, ids, visit, sorted(free), chord)
        centers |= linked
        free -= {k for members in linked.values() for k in members}
        if not free:
            break
    for _ in range(2):
        means = {star: place[members].sum(axis=0) for star, members in centers.items()}
        means = {star: mean / np.linalg.norm(mean) for star, mean in means.items()}
        counts = {star: len(members) for star, members in centers.items()}
        centers = deal(without_shadows(means, counts, chord), place, ids, visit, range(len(ids)), chord)
    groups, ambiguous = [], {}
    for members in centers.values():
        if len(members) < n_min:
            continue
        mean = place[members].sum(axis=0)
        inside = np.flatnonzero(((place - mean / np.linalg.norm(mean)) ** 2).sum(axis=1) <= chord**2)
        groups.append(sorted(ids[members].tolist()))
        ambiguous[tuple(groups[-1])] = bool(set(inside) - set(members))
    return groups, ambiguous


def apart2(place):
    """Matrix of squared chords."""
    return ((place[:, None] - place[None]) ** 2).sum(axis=2)


def without_shadows(means, counts, chord):
    """Centers that are not too near to a richer one."""
    names = list(means)
    chord2 = apart2(np.array([means[name] for name in names]))
    rank = [(counts[name], *means[name], -name) for name in names]

    def hides(i, j):
        reach = chord if counts[names[i]] == 1 and counts[names[j]] > 1 else chord / 2
        return rank[j] > rank[i] and chord2[i, j] <= reach**2

    return {name: means[name] for i, name in enumerate(names) if not any(hides(i, j) for j in range(len(names)))}


def resolve(rows, source_id, snr, chord2, chord):
    """Indices that stay when the worse one of each mutually nearest pair of copies in a visit is removed."""
    n = len(rows)
    reach = np.where(rows["ccd"][:, None] == rows["ccd"], 0.1 * chord, chord)
    strange = (rows["visit"][:, None] != rows["visit"]) | (chord2 > reach**2) | np.eye(n, dtype=bool)
    apart = np.where(strange, np.inf, chord2)
    nearest = [min(range(n), key=lambda j: (apart[i, j], source_id[j])) for i in range(n)]
    worse = {
        i
        for i in range(n)
        if np.isfinite(apart[i, nearest[i]])
        and nearest[nearest[i]] == i
        and (snr[nearest[i]], -source_id[nearest[i]]) > (snr[i], -source_id[i])
    }
    return np.array([i for i in range(n) if i not in worse])


def deal(centers, place, ids, visit, free, chord):
    """{star: indices}: each center's nearest detection of each visit among those of which it is the nearest center."""
    names = sorted(centers)
    at = np.array([centers[name] for name in names])
    taken = {}
    for k in free:
        distance = ((at - place[k]) ** 2).sum(axis=1)
        star = min(range(len(names)), key=lambda s: (distance[s], names[s]))
        if distance[star] <= chord**2:
            claim = taken.setdefault((star, visit[k]), [])
            claim.append((distance[star], ids[k], k))
    linked = {}
    for (star, _), claims in sorted(taken.items()):
        linked.setdefault(names[star], []).append(min(claims)[2])
    return linked


def test_groups_do_not_depend_on_the_order_of_rows(fresh_dsn):
    from hscdb.db.engine import connect

    rows = crowded(77, 359.9999, 0.0)
    results = []
    engine = connect(fresh_dsn, pool=False)
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(rows))
        with engine.connect() as connection, connection.begin() as transaction:
            world = fill(connection, rows[order])
            _, task = match(connection, world)
            at = dict(zip(world.source_id.tolist(), order.tolist(), strict=True))
            found = {
                star.star_id: (star.ra, star.dec, star.is_ambiguous, star.is_reserved)
                for star in stars(connection, task)
            }
            members = {star: sorted(at[k] for k in ids) for star, ids in groups(connection, task).items()}
            results.append((found, members))
            transaction.rollback()
    engine.dispose()
    assert results[0] == results[1]
