"""A step, an entry or a goal in a few words, as their file says them: the same in a portrait, a drawing and a diff."""

from __future__ import annotations

from collections.abc import Iterator

from omnicli.model.campaign import AnyStep, Call, Choose, Enter, Exit, Go, Send, Set, Split, Steps, WaitStep


def step(one: AnyStep) -> str:
    """`send offre by email, else sms, at next 10:00`; of a step with branches only what it says before them."""
    match one:
        case Send():
            words = [f"send {one.send} by {one.by}"]
            words += [f"else {', '.join(one.else_)}"] if one.else_ else []
            words += [f"at {one.at}"] if str(one.at) != "now" else []
            words += [f"if {one.if_}"] if one.if_ else []
            return ", ".join(words)
        case WaitStep():
            return f"wait {one.wait}"
        case Choose():
            return "choose"
        case Split():
            return "split" + (f", measure {one.measure}" if one.measure else "")
        case Set():
            return "set " + ", ".join(f"{name}: {change}" for name, change in one.set.items())
        case Call():
            return f"call {one.call}"
        case Go():
            return f"go {one.go}"
        case Exit():
            return f"exit {one.exit}"
    raise AssertionError(f"no words for {type(one).__name__}")


def branches(one: AnyStep) -> Iterator[tuple[str, str, Steps]]:
    """(label, key as the flow knows it, steps) of every branch of a step, in the order of the file."""
    match one:
        case WaitStep(for_=answers) if answers is not None:
            for term, do in answers.items():
                yield term, term, do
        case Choose(choose=options):
            for n, option in enumerate(options):
                label = f"if {option.if_}" if option.if_ else "else"
                yield label, str(n), (option.else_ if option.else_ is not None else option.do) or ()
        case Split(split=arms):
            for arm, a in arms.items():
                yield f"{arm} {a.share}", arm, a.do


def entry(enter: Enter) -> str:
    """`signup, if country = FR`: what lets people in; nothing where they come by hand."""
    words = [", ".join(enter.when) if enter.when else str(enter.on or enter.at or enter.every or "")]
    words += [f"if {enter.if_}"] if enter.if_ else []
    return ", ".join(word for word in words if word)
