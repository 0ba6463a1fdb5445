{{ config(reads=['territory', 'communes', 'as_of', 'geometry']) }}

-- Where each works site is: the point that its producer gives, else the middle of its geometry's envelope (not if that
-- falls outside the territory's box), and the commune of that point. Without contours the commune is the one that the
-- producer names, in the vintage that has its code: that of the territory if it does, else the latest; failing any
-- geographic code, in the vintage that territory.yml names, or the year up to which data are known.
with points as (
    select
        source,
        site_id,
        nullif(trim(commune_code), '') as stated_code,
        coalesce(lon, (geo_min_lon(geometry) + geo_max_lon(geometry)) / 2) as lon,
        coalesce(lat, (geo_min_lat(geometry) + geo_max_lat(geometry)) / 2) as lat
    from {{ ref('int_mobility__works_announced') }}
),

placed as (
    select
        source,
        site_id,
        stated_code,
        {{ place_in_box('lon', 'lat') }} = 'inside' as is_inside,
        lon,
        lat
    from points
),

located as (
    select * from {{ communes_of_points('placed', ['source', 'site_id']) }} as contained
),

known as (
    select
        communes.commune_code,
        coalesce(
            max(case when communes.vintage = reference.reference_vintage then communes.vintage end),
            max(communes.vintage)
        ) as vintage
    from {{ ref('int_territory__communes') }} as communes
    cross join {{ ref('int_territory__reference_vintage') }} as reference
    group by communes.commune_code
),

assumed as (
    select
        coalesce(
            (select max(vintage) from {{ source('ops', 'territory_communes') }}),
            cast(date_part('year', as_of) as integer)
        ) as vintage
    from {{ source('ops', 'territory') }}
)

select
    placed.source,
    placed.site_id,
    case when placed.is_inside then placed.lon end as lon,
    case when placed.is_inside then placed.lat end as lat,
    coalesce(located.commune_code, placed.stated_code) as commune_code,
    cast(
        case
            when located.commune_code is not null then located.commune_vintage
            when placed.stated_code is not null then coalesce(known.vintage, assumed.vintage)
        end as integer
    ) as commune_vintage,
    case
        when located.commune_code is not null then 'contour'
        when placed.stated_code is not null then 'producer'
    end as commune_origin
from placed
cross join assumed
left join located on placed.source = located.source and placed.site_id = located.site_id
left join known on placed.stated_code = known.commune_code
