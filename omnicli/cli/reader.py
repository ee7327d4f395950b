"""A contact of the store as the reader of a message: what is known of them, their zone, their language and their persona."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from omnicli.campaignfile import Loaded
    from omnicli.model.campaign import Campaign
    from omnicli.render.samples import Sample
    from omnicli.store.connection import Store


def person_of(store: Store, loaded: Loaded, campaign: Campaign, id: str, *, now: datetime) -> Sample:
    """The contact with that id (OmniError when there is none), with the persona that this campaign would see in them now."""
    from omnicli.engine.calendar import zone_table
    from omnicli.people.consent import the_contact
    from omnicli.render.samples import Sample
    from omnicli.store import audience

    project = loaded.project
    assert project is not None
    with store.read() as connection:
        number = the_contact(connection, id)
        life = audience.life(connection, project, number)
        persona = _persona_of(connection, loaded, campaign, number, now)
    known = {"id": life.person.id, "country": life.person.country, "time_zone": life.person.time_zone, "place": life.place,
             "preferred_channel": life.preferred_channel}  # fmt: skip
    zone = life.person.time_zone or next(iter(zone_table().get(life.person.country or "", ())), project.time_zone)
    return Sample(life.person.id, {**life.attributes, **known}, zone, life.person.language, persona)


def _persona_of(connection: sa.Connection, loaded: Loaded, campaign: Campaign, number: int, now: datetime) -> str | None:
    """The first persona whose condition is true of this contact now."""
    import sqlalchemy as sa

    from omnicli.condition.sql import Compiler
    from omnicli.model.vocabulary import vocabulary
    from omnicli.render.samples import personas
    from omnicli.store import tables as tb

    assert loaded.project is not None
    compiler = Compiler(vocabulary(loaded.project, campaign, loaded.campaigns), campaign=campaign.campaign)
    for name, persona in personas(loaded.project, campaign).items():
        if persona.match is None:
            return name
        who = sa.select(tb.contact.c.id).where(tb.contact.c.id.in_(compiler.selection(persona.match)), tb.contact.c.id == number)
        if connection.execute(who, compiler.parameters(now)).scalar() is not None:
            return name
    return None
