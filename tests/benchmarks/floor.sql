-- The floor: what one careful person would write by hand for this one territory. Its only purpose is to be compared.
--
-- It reads the same files, types the same records, keeps the same one of each key, and ends with the same four marts of
-- mobility. Of the effect of works, the territory, energy and payments it makes nothing: the benchmark names what a run
-- makes besides. What makes it lean is what a warehouse cannot afford: it knows its files, keeps nothing between two runs,
-- names no refused record, stores no raw copy. Variables and the table `deliveries` come from floor.py.

create macro number_of(cell) as coalesce(
    try_cast(cell as double),
    try_cast(replace(regexp_replace(cell, '[ \x{00A0}\x{202F}]', '', 'g'), ',', '.') as double)
);
create macro has_offset(cell) as regexp_matches(cell, '(Z|[+-][0-9]{2}:?[0-9]{2})$');
create macro instant_of(cell) as case
    when has_offset(cell) then timezone('UTC', try_cast(cell as timestamptz))
    else timezone('UTC', timezone('Europe/Paris', try_cast(cell as timestamp)))
end;
create macro legal_time(instant) as timezone('Europe/Paris', timezone('UTC', instant));
create macro day_of(cell) as case
    when regexp_full_match(cell, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(cell as date)
    when has_offset(cell) then cast(legal_time(timezone('UTC', try_cast(cell as timestamptz))) as date)
    else coalesce(
        cast(try_cast(cell as timestamp) as date), cast(try_strptime(cell, ['%d/%m/%y', '%d/%m/%Y', '%Y%m%d']) as date)
    )
end;
create macro lat_of(cell) as try_cast(
    case
        when starts_with(cell, '{') then json_extract_string(cell, '$.lat')
        else trim(split_part(trim(cell, '[] '), ',', 1))
    end as double
);
create macro lon_of(cell) as try_cast(
    case
        when starts_with(cell, '{') then json_extract_string(cell, '$.lon')
        else trim(split_part(trim(cell, '[] '), ',', 2))
    end as double
);
create macro geometry_of(cell) as case
    when not json_valid(cell) then null
    when json_extract_string(cell, '$.type') = 'Feature'
        then nullif(cast(json_extract(cell, '$.geometry') as varchar), 'null')
    else cell
end;
create macro mean_of(degrees) as cast(cast(degrees as decimal(12, 9)) as double);
create macro place_of(lon, lat) as (
    select case
        when lon is null or lat is null then null
        when lon between min_lon and max_lon and lat between min_lat and max_lat then 'inside'
        when lat between min_lon and max_lon and lon between min_lat and max_lat then 'swapped'
        else 'outside'
    end
    from territory
);

-- 1. Hours. A table keeps the order of its rows, so `rowid` is the position of a record within its file. Text is stored
-- before it is typed: DuckDB then types each distinct text of a column once per block, not once per row.

create table hours_text as
select filename, iu_ac, libelle, t_1h, q, k, etat_trafic, etat_barre, geo_point_2d, geo_shape
from read_csv(
    getvariable('labels'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'iu_ac': 'VARCHAR', 'libelle': 'VARCHAR', 't_1h': 'VARCHAR', 'q': 'VARCHAR', 'k': 'VARCHAR', 'etat_trafic':
        'VARCHAR', 'iu_nd_amont': 'VARCHAR', 'libelle_nd_amont': 'VARCHAR', 'iu_nd_aval': 'VARCHAR',
        'libelle_nd_aval': 'VARCHAR', 'etat_barre': 'VARCHAR', 'date_debut': 'VARCHAR', 'date_fin': 'VARCHAR',
        'geo_point_2d': 'VARCHAR', 'geo_shape': 'VARCHAR'
    }
)
union all by name
select filename, iu_ac, libelle, t_1h, q, k, etat_trafic, etat_barre
from read_csv(
    getvariable('archives'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'iu_ac': 'VARCHAR', 'libelle': 'VARCHAR', 'iu_nd_amont': 'VARCHAR', 'libelle_nd_amont': 'VARCHAR',
        'iu_nd_aval': 'VARCHAR', 'libelle_nd_aval': 'VARCHAR', 't_1h': 'VARCHAR', 'q': 'VARCHAR', 'k': 'VARCHAR',
        'etat_trafic': 'VARCHAR', 'etat_barre': 'VARCHAR'
    }
)
union all by name
select
    filename,
    record ->> '$.iu_ac' as iu_ac,
    record ->> '$.libelle' as libelle,
    record ->> '$.t_1h' as t_1h,
    record ->> '$.q' as q,
    record ->> '$.k' as k,
    record ->> '$.etat_trafic' as etat_trafic,
    record ->> '$.etat_barre' as etat_barre,
    record ->> '$.geo_point_2d' as geo_point_2d,
    record ->> '$.geo_shape' as geo_shape
from (
    select filename, unnest(cast(results as json[])) as record
    from read_json(getvariable('pages'), filename = true, format = 'auto', columns = {'results': 'JSON'})
);

create table clock as
with typed as (
    select t_1h, instant_of(t_1h) - interval 1 hour as hour_start_at
    from (select distinct t_1h from hours_text)
)
select
    t_1h,
    hour_start_at,
    legal_time(hour_start_at) as legal,
    strftime(legal_time(hour_start_at), '%Y-%m') as period_month,
    strftime(legal_time(hour_start_at), '%Y-%m-%dT%H:%M:%S')
    || case when legal_time(hour_start_at) >= hour_start_at then '+' else '-' end
    || strftime(
        timestamp '2000-01-01' + to_minutes(abs(date_diff('minute', hour_start_at, legal_time(hour_start_at)))), '%H:%M'
    ) as hour_start_local,
    case
        when t_1h is null then 'no date and hour'
        when hour_start_at is null then 'the date and hour cannot be read'
        when not has_offset(t_1h) and legal_time(hour_start_at + interval 1 hour) <> try_cast(t_1h as timestamp)
            then 'this hour does not exist in legal time'
        when date_trunc('hour', hour_start_at) <> hour_start_at then 'not on a whole hour'
    end as reject_reason
from typed;

create table hours as
with typed as (
    select
        delivery_order,
        trim(iu_ac) as counter_id,
        clock.hour_start_at,
        clock.period_month,
        clock.reject_reason as clock_reason,
        number_of(q) as flow_veh_h,
        number_of(k) as occupancy_pct,
        q is not null and not coalesce(isfinite(number_of(q)), false) as is_bad_flow,
        k is not null and not coalesce(isfinite(number_of(k)), false) as is_bad_occupancy,
        coalesce(length(split_part(replace(k, ',', '.'), '.', 2)), 0) as decimals,
        case
            when etat_trafic in ('Fluide', '1') then 'fluid'
            when etat_trafic in ('Pré-saturé', '2') then 'pre_saturated'
            when etat_trafic in ('Saturé', '3') then 'saturated'
            when etat_trafic in ('Bloqué', '4') then 'blocked'
            when etat_trafic in ('Inconnu', '0') or etat_trafic is null then 'unknown'
        end as traffic_state,
        case
            when etat_barre in ('Ouvert', '1') then 'open'
            when etat_barre in ('Barré', '2') then 'closed'
            when etat_barre in ('Invalide', '3') then 'invalid'
            else 'unknown'
        end as arc_state,
        replace(libelle, '_', ' ') as street,
        lon_of(geo_point_2d) as lon,
        lat_of(geo_point_2d) as lat,
        geometry_of(geo_shape) as geometry
    from hours_text
    left join clock using (t_1h)
    left join deliveries on hours_text.filename = deliveries.path
)

select
    * exclude (clock_reason, is_bad_flow, is_bad_occupancy),
    case
        when coalesce(counter_id, '') = '' then 'no arc identifier'
        when clock_reason is not null then clock_reason
        when is_bad_flow then 'the flow is not a number'
        when is_bad_occupancy then 'the occupancy is not a number'
        when flow_veh_h < 0 then 'negative flow'
        when occupancy_pct < 0 or occupancy_pct > 100 then 'occupancy outside 0 to 100 %'
        when traffic_state is null then 'unknown traffic state'
    end as reject_reason
from typed;
drop table hours_text;

-- Few keys are contested: find them, choose among their records, and leave all others alone.

create temp table contested as
with keys as (
    select counter_id, hour_start_at
    from hours
    where reject_reason is null
    group by counter_id, hour_start_at
    having count(*) > 1
)
select
    hours.rowid as position,
    hours.delivery_order,
    hash(
        counter_id, hour_start_at, flow_veh_h, occupancy_pct, traffic_state, arc_state, street, lon, lat, geometry
    ) as content,
    row_number() over best = 1 as is_kept,
    content = first_value(content) over best as is_same
from hours
inner join keys using (counter_id, hour_start_at)
where hours.reject_reason is null
window best as (
    partition by counter_id, hour_start_at
    order by hours.delivery_order desc, least(hours.decimals, 99) desc, hours.rowid desc
);

insert into outcomes (source, delivery_order, records, rejected)
select
    'paris_comptages_permanents',
    delivery_order,
    count(*) as records,
    count(*) filter (where reject_reason is not null) as rejected
from hours
group by delivery_order;
update outcomes
set duplicate = losers.duplicate, superseded = losers.superseded
from (
    select
        delivery_order,
        count(*) filter (where is_same) as duplicate,
        count(*) filter (where not is_same) as superseded
    from contested
    where not is_kept
    group by delivery_order
) as losers
where outcomes.source = 'paris_comptages_permanents' and outcomes.delivery_order = losers.delivery_order;
delete from hours where rowid in (select position from contested where not is_kept) or reject_reason is not null;

-- 2. Works: small files, so that clarity comes first. The last delivery of a key counts, then the last record.

create table arcs as
with typed as (
    select
        delivery_order,
        row_number() over () as position,
        trim(iu_ac) as counter_id,
        coalesce(day_of(date_debut), date '1900-01-01') as valid_from_on,
        date_debut is not null and day_of(date_debut) is null as is_bad_date,
        coalesce(geometry_of(geo_shape), '') as geometry,
        replace(libelle, '_', ' ') as street,
        lon_of(geo_point_2d) as lon,
        lat_of(geo_point_2d) as lat
    from read_csv(
    getvariable('arcs'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'iu_ac': 'VARCHAR', 'date_debut': 'VARCHAR', 'date_fin': 'VARCHAR', 'libelle': 'VARCHAR', 'iu_nd_aval':
        'VARCHAR', 'iu_nd_amont': 'VARCHAR', 'libelle_nd_amont': 'VARCHAR', 'libelle_nd_aval': 'VARCHAR',
        'geo_point_2d': 'VARCHAR', 'geo_shape': 'VARCHAR', 'shape_len': 'VARCHAR'
    }
) as published
    left join deliveries on published.filename = deliveries.path
)
select *, case when is_bad_date or place = 'swapped' then 'refused' end as reject_reason
from (select *, place_of(lon, lat) as place from typed);

create table perturbing_records as
with typed as (
    select
        delivery_order,
        file_date,
        row_number() over () as position,
        trim(identifiant) as site_id,
        nullif(trim(identifiant_ctv), '') as cite_request_id,
        cp_arrondissement as district_code,
        case
            when objet in ('CONSTRUCTION_IMMEUBLE', 'DEMOLITION_IMMEUBLE', 'REHABILITATION_IMMEUBLE')
                then 'building_works'
            when objet like '%RESEAU%' then 'network_works'
            when objet = 'EVENEMENTIEL' then 'event'
            when objet is null then 'other'
            else 'road_works'
        end as kind,
        objet as purpose,
        case
            when impact_circulation in ('BARRAGE_TOTAL', 'IMPASSE') then 'road_closed'
            when impact_circulation = 'SENS_UNIQUE' then 'one_way'
            when impact_circulation = 'RESTREINTE' then 'lane_restricted'
            else 'unknown'
        end as disruption,
        try_cast(niveau_perturbation as integer) as disruption_level,
        voie as street,
        precision_localisation as location_detail,
        maitre_ouvrage as responsible_body,
        day_of(date_debut) as start_on,
        day_of(date_fin) as end_on,
        statut as announced_state,
        geometry_of(geo_shape) as geometry,
        lon_of(geo_point_2d) as lon,
        lat_of(geo_point_2d) as lat,
        (date_debut is not null and start_on is null)
        or (date_fin is not null and end_on is null)
        or coalesce(end_on < start_on, false)
        or (niveau_perturbation is not null and disruption_level is null)
        or (geo_shape is not null and not json_valid(geo_shape)) as is_bad
    from read_csv(
    getvariable('perturbing'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'identifiant': 'VARCHAR', 'identifiant_ctv': 'VARCHAR', 'cp_arrondissement': 'VARCHAR', 'numero_stv':
        'VARCHAR', 'typologie': 'VARCHAR', 'maitre_ouvrage': 'VARCHAR', 'objet': 'VARCHAR', 'description': 'VARCHAR',
        'voie': 'VARCHAR', 'precision_localisation': 'VARCHAR', 'date_debut': 'VARCHAR', 'date_fin': 'VARCHAR',
        'impact_circulation': 'VARCHAR', 'impact_circulation_detail': 'VARCHAR', 'niveau_perturbation': 'VARCHAR',
        'statut': 'VARCHAR', 'url_lettreinfochantier': 'VARCHAR', 'geo_shape': 'VARCHAR', 'geo_point_2d': 'VARCHAR'
    }
) as published
    left join deliveries on published.filename = deliveries.path
)
select *, case when is_bad or place = 'swapped' then 'refused' end as reject_reason
from (select *, place_of(lon, lat) as place from typed);

create table occupying_records as
with published as (
    select * from read_csv(
    getvariable('occupying'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'num_emprise': 'VARCHAR', 'cp_arrondissement': 'VARCHAR', 'date_debut': 'VARCHAR', 'date_fin': 'VARCHAR',
        'chantier_categorie': 'VARCHAR', 'moa_principal': 'VARCHAR', 'surface': 'VARCHAR', 'chantier_synthese':
        'VARCHAR', 'localisation_detail': 'VARCHAR', 'localisation_stationnement': 'VARCHAR', 'demande_cite_id':
        'VARCHAR', 'chantier_cite_id': 'VARCHAR', 'geo_shape': 'VARCHAR', 'geo_point_2d': 'VARCHAR'
    }
)
    union all by name
    select
        filename,
        record ->> '$.num_emprise' as num_emprise,
        record ->> '$.cp_arrondissement' as cp_arrondissement,
        record ->> '$.date_debut' as date_debut,
        record ->> '$.date_fin' as date_fin,
        record ->> '$.chantier_categorie' as chantier_categorie,
        record ->> '$.moa_principal' as moa_principal,
        record ->> '$.surface' as surface,
        record ->> '$.chantier_synthese' as chantier_synthese,
        record ->> '$.localisation_detail' as localisation_detail,
        record ->> '$.localisation_stationnement' as localisation_stationnement,
        record ->> '$.demande_cite_id' as demande_cite_id,
        record ->> '$.chantier_cite_id' as chantier_cite_id,
        record ->> '$.geo_shape' as geo_shape,
        record ->> '$.geo_point_2d' as geo_point_2d
    from (
        select filename, json as record
        from read_json_objects(getvariable('occupying_pages'), filename = true, format = 'array')
    )
),

typed as (
    select
        delivery_order,
        file_date,
        row_number() over () as position,
        trim(num_emprise) as part_id,
        nullif(trim(demande_cite_id), '') as cite_request_id,
        case
            when chantier_categorie like 'Tiers%' then 'building_works'
            when chantier_categorie like 'Opérateurs de réseau%' then 'network_works'
            when chantier_synthese ilike '%réseau%' then 'network_works'
            when chantier_synthese ilike '%voirie%' then 'road_works'
            when chantier_synthese ilike '%édifice%' then 'building_works'
            else 'public_space_works'
        end as kind,
        chantier_synthese as purpose,
        coalesce(localisation_detail, '') as occupations,
        case
            when occupations like '%EMPRISE_CHAUSSEE%' then 'lane_restricted'
            when occupations like '%EMPRISE_PISTE_CYCLABLE%' then 'cycle_lane'
            when occupations like '%EMPRISE_TROTTOIR%' then 'sidewalk'
            when coalesce(localisation_stationnement, '') not in ('', '[]') then 'parking'
            else 'unknown'
        end as disruption,
        occupations like '%EMPRISE_CHAUSSEE%' as occupies_carriageway,
        moa_principal as responsible_body,
        number_of(surface) as surface_m2,
        day_of(date_debut) as start_on,
        day_of(date_fin) as end_on,
        cp_arrondissement as district_code,
        geometry_of(geo_shape) as geometry,
        lon_of(geo_point_2d) as lon,
        lat_of(geo_point_2d) as lat,
        (date_debut is not null and start_on is null)
        or (date_fin is not null and end_on is null)
        or coalesce(end_on < start_on, false)
        or (surface is not null and surface_m2 is null)
        or (geo_shape is not null and not json_valid(geo_shape)) as is_bad
    from published
    left join deliveries on published.filename = deliveries.path
)
select *, case when is_bad or place = 'swapped' then 'refused' end as reject_reason
from (select *, place_of(lon, lat) as place from typed);

create table closing_records as
with typed as (
    select
        delivery_order,
        file_date,
        row_number() over () as position,
        trim(identifiant) as site_id,
        type_fermeture as closure_type,
        localisation as street,
        sens as direction_text,
        etat as announced_state,
        case
            when etat like 'Planifi%' then 'planned'
            when etat like 'Termin%' then 'ended'
            when etat like 'Annul%' then 'cancelled'
        end as stated_phase,
        instant_of(date_debut) as start_at,
        instant_of(date_fin) as end_at,
        geometry_of(geo_shape) as geometry,
        lon_of(geo_point_2d) as lon,
        lat_of(geo_point_2d) as lat,
        (date_debut is not null and start_at is null)
        or (date_fin is not null and end_at is null)
        or coalesce(end_at < start_at, false)
        or (geo_shape is not null and not json_valid(geo_shape)) as is_bad
    from read_csv(
    getvariable('closing'), header = false, skip = 1, delim = ';', quote = '"', escape = '"', auto_detect = false,
    nullstr = '', filename = true, ignore_errors = true, store_rejects = true, rejects_limit = 0, columns = {
        'identifiant': 'VARCHAR', 'type_fermeture': 'VARCHAR', 'localisation': 'VARCHAR', 'date_debut': 'VARCHAR',
        'date_fin': 'VARCHAR', 'periode': 'VARCHAR', 'sens': 'VARCHAR', 'etat': 'VARCHAR', 'geo_shape': 'VARCHAR',
        'geo_point_2d': 'VARCHAR'
    }
) as published
    left join deliveries on published.filename = deliveries.path
)
select *, case when is_bad or place = 'swapped' then 'refused' end as reject_reason
from (select *, place_of(lon, lat) as place from typed);

create table outlines as
select
    2025 as vintage,
    feature ->> '$.properties.code' as commune_code,
    feature ->> '$.geometry' as geometry,
    delivery_order
from (
    select filename, unnest(cast(features as json[])) as feature
    from read_json(getvariable('outlines'), filename = true, format = 'auto', columns = {'features': 'JSON'})
) as published
left join deliveries on published.filename = deliveries.path;

-- What a delivery was the last to list is absent from the day of the next complete snapshot on.
create table absences as
select
    listing.source,
    listing.delivery_order as listed_order,
    greatest(
        arg_min(cast(later.file_date as date), later.delivery_order), cast(listing.file_date as date) + 1
    ) as first_absent_on
from deliveries as listing
inner join deliveries as later
    on listing.source = later.source and listing.delivery_order < later.delivery_order and not later.is_partial
group by listing.source, listing.delivery_order, listing.file_date;

create table perturbing as
with accepted as (
    select * from perturbing_records where reject_reason is null and place is distinct from 'outside'
),

histories as (
    select site_id, list({'snapshot_on': snapshot_on, 'start_on': start_on, 'end_on': end_on} order by told) as versions
    from (
        select site_id, start_on, end_on, min((delivery_order, position)) as told, min(file_date) as snapshot_on
        from accepted
        group by site_id, start_on, end_on
    )
    group by site_id
)

select
    accepted.*,
    histories.versions,
    absences.first_absent_on
from accepted
inner join histories using (site_id)
inner join (select site_id, max(delivery_order) as last_order from accepted group by site_id) using (site_id)
left join absences on absences.source = 'paris_chantiers_perturbants' and absences.listed_order = last_order
qualify row_number() over (partition by site_id order by delivery_order desc, position desc) = 1;

create table occupying as
with accepted as (
    select * from occupying_records where reject_reason is null and place is distinct from 'outside'
),

histories as (
    select part_id, list({'snapshot_on': snapshot_on, 'start_on': start_on, 'end_on': end_on} order by told) as versions
    from (
        select part_id, start_on, end_on, min((delivery_order, position)) as told, min(file_date) as snapshot_on
        from accepted
        group by part_id, start_on, end_on
    )
    group by part_id
)

select
    accepted.*,
    histories.versions,
    absences.first_absent_on
from accepted
inner join histories using (part_id)
inner join (select part_id, max(delivery_order) as last_order from accepted group by part_id) using (part_id)
left join absences on absences.source = 'paris_chantiers' and absences.listed_order = last_order
qualify row_number() over (partition by part_id order by delivery_order desc, position desc) = 1;

create table closing as
with accepted as (
    select * from closing_records where reject_reason is null and place is distinct from 'outside'
),

histories as (
    select site_id, list({'snapshot_on': snapshot_on, 'start_at': start_at, 'end_at': end_at} order by told) as versions
    from (
        select site_id, start_at, end_at, min((delivery_order, position)) as told, min(file_date) as snapshot_on
        from accepted
        group by site_id, start_at, end_at
    )
    group by site_id
)

select
    accepted.*,
    histories.versions,
    absences.first_absent_on
from accepted
inner join histories using (site_id)
inner join (select site_id, max(delivery_order) as last_order from accepted group by site_id) using (site_id)
left join absences on absences.source = 'paris_fermetures_voirie' and absences.listed_order = last_order
qualify row_number() over (partition by site_id order by delivery_order desc, position desc) = 1;

insert into outcomes (source, delivery_order, records, rejected)
select 'paris_chantiers_perturbants', delivery_order, count(*), count(*) filter (where reject_reason is not null)
from perturbing_records group by delivery_order
union all
select 'paris_chantiers', delivery_order, count(*), count(*) filter (where reject_reason is not null)
from occupying_records group by delivery_order
union all
select 'paris_fermetures_voirie', delivery_order, count(*), count(*) filter (where reject_reason is not null)
from closing_records group by delivery_order
union all
select 'paris_referentiel_comptages', delivery_order, count(*), count(*) filter (where reject_reason is not null)
from arcs group by delivery_order
union all
select 'ign_contours_communes', delivery_order, count(*), 0
from outlines group by delivery_order;

create table occupied as
with parts as (
    select
        *,
        coalesce(cite_request_id, part_id) as site_id,
        case disruption
            when 'lane_restricted' then 4 when 'cycle_lane' then 3 when 'sidewalk' then 2 when 'parking' then 1 else 0
        end as disruption_rank
    from occupying
),

histories as (
    select
        site_id,
        list({'snapshot_on': snapshot_on, 'start_on': start_on, 'end_on': end_on} order by snapshot_on) as versions
    from (
        select site_id, version.snapshot_on, min(version.start_on) as start_on, max(version.end_on) as end_on
        from (select site_id, unnest(versions) as version from parts)
        group by site_id, version.snapshot_on
    )
    group by site_id
)

select
    parts.site_id,
    min(cite_request_id) as cite_request_id,
    coalesce(min(kind) filter (where occupies_carriageway), min(kind)) as kind,
    min(purpose) as purpose,
    arg_max(disruption, disruption_rank) as disruption,
    bool_or(occupies_carriageway) as occupies_carriageway,
    min(responsible_body) as responsible_body,
    cast(sum(cast(surface_m2 as decimal(18, 2))) as double) as surface_m2,
    min(start_on) as start_on,
    case when count(end_on) = count(*) then max(end_on) end as end_on,
    min(district_code) as district_code,
    count(*) as parts_count,
    case when count(least(end_on, first_absent_on - 1)) = count(*) then max(least(end_on, first_absent_on - 1)) end
        as last_day_on,
    case when count(*) = 1 then any_value(parts.versions) else any_value(histories.versions) end as versions,
    case count(geometry)
        when 0 then null
        when 1 then min(geometry)
        else '{"type": "GeometryCollection", "geometries": [' || string_agg(geometry, ', ' order by part_id) || ']}'
    end as geometry,
    cast(avg(cast(lon as decimal(12, 9))) as double) as lon,
    cast(avg(cast(lat as decimal(12, 9))) as double) as lat
from parts
inner join histories using (site_id)
group by parts.site_id;

create table announced as
select
    'paris_chantiers_perturbants' as source, site_id, cite_request_id, kind, purpose, disruption, disruption_level,
    street, location_detail, responsible_body, start_on, end_on, cast(null as timestamp) as start_at,
    cast(null as timestamp) as end_at, 'date' as period_precision, announced_state,
    least(end_on, first_absent_on - 1) as last_day_on,
    list_transform(versions, lambda v: {
        'snapshot_on': v.snapshot_on, 'start': cast(v.start_on as varchar), 'end': cast(v.end_on as varchar)
    }) as versions,
    1 as parts_count, disruption <> 'unknown' as occupies_carriageway, cast(null as double) as surface_m2,
    district_code, geometry, mean_of(lon) as lon, mean_of(lat) as lat
from perturbing
union all by name
select
    'paris_chantiers' as source, * exclude (versions), 'date' as period_precision,
    list_transform(versions, lambda v: {
        'snapshot_on': v.snapshot_on, 'start': cast(v.start_on as varchar), 'end': cast(v.end_on as varchar)
    }) as versions
from occupied
union all by name
select
    'paris_fermetures_voirie' as source, site_id, 'closure' as kind, closure_type as purpose,
    'road_closed' as disruption, street, direction_text as location_detail,
    case when direction_text is not null then 'one' else 'unknown' end as direction,
    cast(legal_time(start_at) as date) as start_on, cast(legal_time(end_at) as date) as end_on, start_at, end_at,
    'instant' as period_precision, announced_state, stated_phase,
    least(cast(legal_time(end_at) as date), first_absent_on - 1) as last_day_on,
    list_transform(versions, lambda v: {
        'snapshot_on': v.snapshot_on,
        'start': strftime(v.start_at, '%Y-%m-%dT%H:%M:%SZ'),
        'end': strftime(v.end_at, '%Y-%m-%dT%H:%M:%SZ')
    }) as versions,
    1 as parts_count, true as occupies_carriageway, geometry, mean_of(lon) as lon, mean_of(lat) as lat
from closing;

create table places as
with points as (
    select
        source,
        site_id,
        coalesce(lon, (geo_bounds(geometry)[1] + geo_bounds(geometry)[3]) / 2) as lon,
        coalesce(lat, (geo_bounds(geometry)[2] + geo_bounds(geometry)[4]) / 2) as lat
    from announced
)

select
    source,
    site_id,
    case when place_of(points.lon, points.lat) = 'inside' then points.lon end as lon,
    case when place_of(points.lon, points.lat) = 'inside' then points.lat end as lat,
    commune_code,
    vintage as commune_vintage
from points
left join (
    select source, site_id, min(commune_code) as commune_code, min(vintage) as vintage
    from points
    inner join outlines on geo_contains(outlines.geometry, points.lon, points.lat)
    group by source, site_id
) using (source, site_id);

create table matches as
select * from (
    select
        perturbing.site_id as left_id, occupied.site_id as right_id, perturbing.cite_request_id,
        cast(geo_distance_m(perturbing.geometry, occupied.geometry) as decimal(9, 1)) as distance_m
    from perturbing
    inner join occupied using (cite_request_id)
)
where distance_m <= 250;

create table works_sites as
with evidence as (
    select
        source,
        site_id,
        min('cite:' || value) as site_group_id,
        cast(to_json(list(
            {
                'rule': 'identifiant_ctv = demande_cite_id', 'value': value, 'source': other_source,
                'site_id': other_id, 'distance_m': distance_m
            }
            order by other_source, other_id
        )) as varchar) as match_evidence
    from (
        select
            'paris_chantiers_perturbants' as source, left_id as site_id, 'paris_chantiers' as other_source,
            right_id as other_id, cite_request_id as value, distance_m
        from matches
        union all
        select 'paris_chantiers', right_id, 'paris_chantiers_perturbants', left_id, cite_request_id, distance_m
        from matches
    )
    group by source, site_id
),

grouped as (
    select
        announced.* exclude (lon, lat),
        places.lon,
        places.lat,
        commune_code,
        commune_vintage,
        match_evidence,
        coalesce(evidence.site_group_id, announced.source || ':' || announced.site_id) as group_id,
        try_cast(substr(versions[1]."end", 1, 10) as date) as first_announced_end_on
    from announced
    left join places using (source, site_id)
    left join evidence using (source, site_id)
),

told as (
    select
        *,
        case
            when stated_phase = 'cancelled' then 'cancelled'
            when start_on is null then 'unknown'
            when last_day_on < start_on then 'cancelled'
            when start_on > as_of then 'planned'
            when last_day_on < as_of then 'ended'
            else 'ongoing'
        end as status
    from grouped
    cross join territory
)

select
    source,
    site_id,
    group_id as site_group_id,
    row_number() over (
        partition by group_id order by source = 'paris_chantiers_perturbants' desc, source, site_id
    ) = 1 as is_group_primary,
    match_evidence,
    kind,
    purpose,
    disruption,
    disruption_level,
    street,
    location_detail,
    cast(null as varchar) as road_ref,
    direction,
    cast(null as integer) as lanes_closed,
    cast(null as varchar) as schedule,
    responsible_body,
    start_on,
    end_on,
    start_at,
    end_at,
    period_precision,
    cast(null as varchar) as period_text,
    last_day_on,
    status,
    announced_state,
    stated_phase,
    coalesce(
        stated_phase in ('planned', 'ongoing', 'ended') and status <> 'unknown' and stated_phase <> status, false
    ) as phase_contradicts_dates,
    cast(to_json(versions) as varchar) as announced_versions,
    cast(len(versions) as integer) as version_count,
    first_announced_end_on,
    cast(date_diff('day', first_announced_end_on, end_on) as integer) as end_slippage_days,
    cast(parts_count as integer) as parts_count,
    occupies_carriageway,
    surface_m2,
    case when surface_m2 is null then 'not_available' else 'measured' end as surface_status,
    commune_code,
    cast(commune_vintage as integer) as commune_vintage,
    case when commune_code is not null then 'contour' end as commune_origin,
    cast(null as varchar) as commune_name,
    district_code,
    geometry,
    lon,
    lat
from told;

-- 3. The marts of traffic.

create table counters as
with measured as (
    select
        counter_id,
        arg_max(street, hour_start_at) as street,
        arg_max(lon, hour_start_at) filter (where lon is not null) as lon,
        arg_max(lat, hour_start_at) filter (where lon is not null) as lat,
        arg_max(geometry, hour_start_at) filter (where lon is not null) as geometry
    from hours
    group by counter_id
),

referenced as (
    select
        counter_id,
        min(street) as street,
        cast(avg(cast(lon as decimal(12, 9))) as double) as lon,
        cast(avg(cast(lat as decimal(12, 9))) as double) as lat,
        case count(geometry)
            when 1 then min(geometry)
            else
                '{"type": "GeometryCollection", "geometries": ['
                || string_agg(geometry, ', ' order by geometry) || ']}'
        end as geometry
    from (
        select * from arcs
        where reject_reason is null and place is distinct from 'outside'
        qualify valid_from_on = max(valid_from_on) over (partition by counter_id)
            and row_number() over (
                partition by counter_id, valid_from_on, geometry order by delivery_order desc, position desc
            ) = 1
    )
    group by counter_id
)

select
    counter_id,
    coalesce(measured.street, referenced.street) as street,
    cast(cast(coalesce(measured.lon, referenced.lon) as decimal(9, 6)) as double) as lon,
    cast(cast(coalesce(measured.lat, referenced.lat) as decimal(9, 6)) as double) as lat,
    coalesce(measured.geometry, referenced.geometry) as geometry
from measured
left join referenced using (counter_id);

create table traffic_hourly as
select
    'paris_comptages_permanents' as source,
    hours.counter_id,
    'one_way' as direction,
    'all' as vehicle_class,
    hours.hour_start_at,
    clock.hour_start_local,
    case
        when flow_veh_h is not null then 'count'
        when occupancy_pct is not null then 'occupancy'
        else 'none'
    end as measure_kind,
    flow_veh_h,
    case when flow_veh_h is null then 'not_available' else 'measured' end as flow_status,
    occupancy_pct,
    case when occupancy_pct is null then 'not_available' else 'measured' end as occupancy_status,
    cast(null as double) as speed_kmh,
    'not_available' as speed_status,
    traffic_state,
    cast(case when coalesce(flow_veh_h, occupancy_pct) is null then 0 else 1 end as decimal(5, 4)) as measured_share,
    cast(0 as decimal(5, 4)) as speed_measured_share,
    arc_state = 'closed' as is_barred,
    case
        when coalesce(flow_veh_h, occupancy_pct) is null then 'not_measured'
        when flow_veh_h > 12000 then 'implausible_flow'
        when flow_veh_h > 100 and occupancy_pct = 0 then 'flow_without_occupancy'
        when flow_veh_h = 0 and occupancy_pct > 75 then 'occupancy_without_flow'
        else 'plausible'
    end as plausibility,
    counters.street,
    counters.lon,
    counters.lat,
    hours.period_month
from hours
inner join (
    select hour_start_at, any_value(hour_start_local) as hour_start_local from clock group by hour_start_at
) as clock using (hour_start_at)
inner join counters using (counter_id);
drop table hours;

create table near as
with reach as (
    select
        reach_m,
        reach_m / 111000.0 as reach_lat,
        reach_m / (111000.0 * cos(radians(greatest(abs(min_lat), abs(max_lat))))) as reach_lon
    from territory
),

boxed_counters as (
    select counter_id, geometry, geo_bounds(geometry) as box from counters where geometry <> ''
),

boxed_sites as (
    select source, site_id, geometry, geo_bounds(geometry) as box from announced where geometry is not null
),

measured as (
    select
        counters.counter_id,
        sites.source as works_source,
        sites.site_id,
        reach_m,
        geo_distance_m(counters.geometry, sites.geometry) as distance_m,
        geo_position(counters.geometry, sites.geometry) as position
    from boxed_counters as counters
    cross join reach
    inner join boxed_sites as sites
        on sites.box[1] <= counters.box[3] + reach_lon
        and sites.box[3] >= counters.box[1] - reach_lon
        and sites.box[2] <= counters.box[4] + reach_lat
        and sites.box[4] >= counters.box[2] - reach_lat
)

select counter_id, works_source, site_id, cast(cast(distance_m as decimal(9, 1)) as double) as distance_m, position
from measured
where distance_m <= reach_m;

create table counter_works_daily as
with days as (
    select
        source,
        counter_id,
        cast(substr(hour_start_local, 1, 10) as date) as day_on,
        period_month,
        cast(count(*) filter (where measure_kind <> 'none') as integer) as measured_hours
    from traffic_hourly
    group by source, counter_id, day_on, period_month
)

select
    days.source,
    days.counter_id,
    near.works_source,
    near.site_id,
    sites.site_group_id,
    days.day_on,
    near.distance_m,
    near.position,
    sites.kind,
    sites.disruption,
    sites.disruption_level,
    days.measured_hours,
    days.period_month
from near
inner join works_sites as sites on near.works_source = sites.source and near.site_id = sites.site_id
cross join territory
inner join days
    on near.counter_id = days.counter_id and days.day_on between sites.start_on and coalesce(sites.last_day_on, as_of)
where sites.status <> 'cancelled';

-- The days of the counted years, with their hours; those of the one clock change at which an hour is lost count 24.

create table calendar as
with years as (
    select distinct cast(left(period_month, 4) as integer) as year
    from traffic_hourly
),

-- Easter, by the Gregorian algorithm of Meeus, Jones and Butcher.
moons as (
    select
        year,
        (
            19 * (year % 19) + year // 100 - year // 400
            - (year // 100 - (year // 100 + 8) // 25 + 1) // 3 + 15
        ) % 30 as h
    from years
),

sundays as (
    select *, (32 + 2 * (year // 100 % 4) + 2 * (year % 100 // 4) - h - year % 100 % 4) % 7 as l
    from moons
),

easters as (
    select year, h + l - 7 * ((year % 19 + 11 * h + 22 * l) // 451) + 114 as days
    from sundays
),

holidays as (
    select make_date(year, days // 31, days % 31 + 1) + after as day_on
    from easters cross join (values (1), (39), (50)) as listed (after)
    union
    select make_date(year, month, day)
    from easters
    cross join (values (1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)) as listed (month, day)
),

days as (
    select cast(unnest(generate_series(make_date(year, 1, 1), make_date(year, 12, 31), interval 1 day)) as date) as day_on
    from years
)

select
    day_on,
    isodow(day_on) < 6 and day_on not in (select day_on from holidays) as is_working_day,
    least(24, date_diff(
        'hour',
        timezone('Europe/Paris', cast(day_on as timestamp)),
        timezone('Europe/Paris', cast(day_on + 1 as timestamp))
    )) as publishable_hours
from days;

create table traffic_yearly as
with counted as (
    select
        counter_id,
        period_month,
        flow_veh_h,
        is_barred,
        plausibility,
        cast(substr(hour_start_local, 1, 10) as date) as day_on,
        substr(hour_start_local, 12, 2) as clock_hour
    from traffic_hourly
    where measure_kind = 'count'
),

-- What is usual at an hour of the clock on a type of day: the other types tell an hour of which it has nothing.
usual as (
    select
        counter_id,
        period_month,
        clock_hour,
        avg(cast(flow_veh_h as decimal(12, 3))) filter (where isodow(day_on) < 6) as on_weekdays,
        avg(cast(flow_veh_h as decimal(12, 3))) filter (where isodow(day_on) = 6) as on_saturdays,
        avg(cast(flow_veh_h as decimal(12, 3))) filter (where isodow(day_on) = 7) as on_sundays
    from counted
    where flow_veh_h > 0 and plausibility = 'plausible' and not is_barred
    group by counter_id, period_month, clock_hour
),

noughts as (
    select
        counted.counter_id,
        counted.day_on,
        coalesce(
            case
                when isodow(day_on) < 6 then on_weekdays when isodow(day_on) = 6 then on_saturdays else on_sundays
            end,
            list_avg([on_weekdays, on_saturdays, on_sundays]),
            case when heard.counter_id is not null then 0 end
        ) as usual
    from counted
    left join usual using (counter_id, period_month, clock_hour)
    left join (select distinct counter_id, period_month from usual) as heard using (counter_id, period_month)
    where flow_veh_h = 0 and plausibility <> 'implausible_flow' and not is_barred
),

silent as (
    select counter_id, day_on, count(*) as hours from noughts where coalesce(usual, 20) >= 20 group by counter_id, day_on
),

daily as (
    select
        counter_id,
        period_month,
        day_on,
        count(*) filter (where plausibility <> 'implausible_flow') - coalesce(any_value(silent.hours), 0) as whole_hours,
        sum(cast(flow_veh_h as decimal(18, 2))) filter (where plausibility <> 'implausible_flow') as vehicles
    from counted
    left join silent using (counter_id, day_on)
    group by counter_id, period_month, day_on
),

monthly as (
    select
        counter_id,
        period_month,
        count(*) as complete_days,
        count(*) filter (where is_working_day) as working_days,
        sum(vehicles) as vehicles,
        sum(vehicles) filter (where is_working_day) as vehicles_on_working_days,
        count(*) = day(last_day(max(day_on))) as is_complete
    from daily
    inner join calendar using (day_on)
    where whole_hours >= publishable_hours
    group by counter_id, period_month
),

yearly as (
    select
        counter_id,
        cast(left(daily.period_month, 4) as integer) as year,
        count(distinct period_month) filter (where is_complete) as months_kept,
        coalesce(sum(complete_days) filter (where is_complete), 0) as days_kept,
        coalesce(sum(working_days) filter (where is_complete), 0) as working_days_kept,
        coalesce(sum(complete_days), 0) as complete_days,
        sum(vehicles) filter (where is_complete) as vehicles,
        sum(vehicles_on_working_days) filter (where is_complete) as vehicles_on_working_days
    from (select distinct counter_id, period_month from daily) as daily
    left join monthly using (counter_id, period_month)
    group by counter_id, year
),

located as (
    select counter_id, min(commune_code) as commune_code, min(vintage) as vintage
    from counters
    inner join outlines on geo_contains(outlines.geometry, counters.lon, counters.lat)
    group by counter_id
),

measured as (
    select *, cast(nullif(geo_length_m(geometry), 0) as decimal(12, 1)) as length_m
    from counters
)

select
    'paris_comptages_permanents' as source,
    counter_id,
    'one_way' as direction,
    'all' as vehicle_class,
    year,
    case
        when months_kept = 12 then 'complete_year' when months_kept > 0 then 'some_months' else 'no_complete_month'
    end as coverage_status,
    cast(months_kept as integer) as months_kept,
    cast(days_kept as integer) as days_kept,
    cast(working_days_kept as integer) as working_days_kept,
    cast(complete_days as integer) as complete_days,
    case when day(last_day(make_date(year, 2, 1))) = 29 then 366 else 365 end as days_in_year,
    cast(vehicles as double) / nullif(days_kept, 0) as mean_daily_traffic_veh_d,
    case when days_kept = 0 then 'not_available' else 'measured' end as mean_daily_traffic_status,
    cast(vehicles_on_working_days as double) / nullif(working_days_kept, 0) as mean_working_day_traffic_veh_d,
    case when working_days_kept = 0 then 'not_available' else 'measured' end as mean_working_day_traffic_status,
    cast(length_m as double) as section_length_m,
    case when length_m is null then 'not_available' else 'estimated' end as section_length_status,
    cast(vehicles * length_m as double) / 1000 / nullif(days_kept, 0) as traffic_volume_veh_km_d,
    case when length_m is null or days_kept = 0 then 'not_available' else 'estimated' end as traffic_volume_status,
    street,
    cast(null as varchar) as road_ref,
    commune_code,
    cast(vintage as integer) as commune_vintage,
    lon,
    lat
from yearly
inner join measured using (counter_id)
left join located using (counter_id);
