"""Models by name: options are read from the loader's signature, converted, and taken from the environment."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, SecretStr

from agentaudio import load_model
from agentaudio.errors import AudioError, BackendError, MissingExtra, ModelNotFound, OptionError
from agentaudio.model.options import FromEnv, Option, Signature
from agentaudio.model.registry import call_loader
from agentaudio.model.scripted import Scripted

KEY = "sk-very-secret"


class Part(Protocol):
    def work(self) -> None: ...


def load(  # type: ignore[no-untyped-def]
    argument: str | None,
    *,
    address: Annotated[str, FromEnv("SERVICE_ADDRESS")] = "http://localhost:8000",
    api_key: Annotated[SecretStr, FromEnv("SERVICE_API_KEY")],
    bits: Literal[4, 8] | None = None,
    language: Literal["zh", "en"] = "zh",
    speed: Annotated[float, Field(gt=0)] = 1.0,
    count: int = 1,
    quiet: bool = False,
    folder: Path | None = None,
    part: Part | None = None,
    untyped=None,
) -> dict[str, Any]:
    return {name: value for name, value in locals().items() if name != "argument"} | {"argument": argument}


def called(**options: Any) -> dict[str, Any]:
    return call_loader("model 'service'", load, "large", {"api_key": KEY} | options)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("speed", "0.5", 0.5),
        ("count", "3", 3),
        ("quiet", "yes", True),
        ("quiet", "false", False),
        ("language", "en", "en"),
        ("bits", "8", 8),
        ("folder", "some/where", Path("some/where")),
        ("address", "http://x", "http://x"),
        ("untyped", "7", "7"),
    ],
)
def test_text_is_converted_as_the_loader_annotates(name: str, text: str, value: Any) -> None:
    converted = called(**{name: text})[name]
    assert converted == value and type(converted) is type(value)


def test_values_of_the_right_type_and_defaults_are_passed_on() -> None:
    part = object()
    made = called(folder=None, part=part, speed=2)
    assert (made["folder"], made["part"], made["speed"], made["argument"]) == (None, part, 2.0, "large")
    assert (made["language"], made["count"], made["address"]) == ("zh", 1, "http://localhost:8000")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"langage": "en"}, "model 'service': there is no option 'langage'; did you mean 'language'?"),
        ({"language": "fr"}, "model 'service': language 'fr' does not fit; it must be zh | en"),
        ({"speed": "fast"}, "speed 'fast' does not fit; it must be float (Input should be a valid number"),
        ({"speed": -1}, "speed -1 does not fit; it must be float (Input should be greater than 0)"),
        ({"count": 1.5}, "count 1.5 does not fit; it must be int"),
        ({"quiet": "perhaps"}, "quiet 'perhaps' does not fit; it must be bool"),
        ({"bits": "7"}, "bits '7' does not fit; it must be 4 | 8 | none"),
    ],
)
def test_invalid_options_are_named_with_their_value(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as raised:
        called(**options)
    assert words in str(raised.value)


def test_an_argument_comes_before_the_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert called()["address"] == "http://localhost:8000"
    monkeypatch.setenv("SERVICE_ADDRESS", "")
    assert called()["address"] == "http://localhost:8000"
    monkeypatch.setenv("SERVICE_ADDRESS", "http://environment")
    assert called()["address"] == "http://environment"
    assert called(address="http://argument")["address"] == "http://argument"


def test_a_missing_key_names_its_variable_and_is_taken_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERVICE_API_KEY", raising=False)
    with pytest.raises(OptionError, match="api_key is missing; .*set the environment variable SERVICE_API_KEY"):
        call_loader("model 'service'", load, None, {})
    monkeypatch.setenv("SERVICE_API_KEY", KEY)
    assert call_loader("model 'service'", load, None, {})["api_key"].get_secret_value() == KEY


def test_a_variable_that_does_not_fit_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(argument: str | None, *, count: Annotated[int, FromEnv("SERVICE_COUNT")] = 1) -> int:
        return count

    monkeypatch.setenv("SERVICE_COUNT", KEY)
    with pytest.raises(OptionError, match=r"count \(from \$SERVICE_COUNT\) does not fit; it must be int") as raised:
        call_loader("model 'service'", load, None, {})
    assert KEY not in printed(raised.value)


def test_secrets_appear_in_no_message_and_no_traceback() -> None:
    def refuse(argument: str | None, *, api_key: SecretStr) -> None:
        raise ValueError(f"incorrect key {api_key.get_secret_value()}")

    assert KEY not in repr(called())
    with pytest.raises(BackendError, match=r"incorrect key \*\*\*") as raised:
        call_loader("model 'service'", refuse, None, {"api_key": KEY})
    assert KEY not in printed(raised.value)
    for options in ({"api_kye": KEY}, {"api_key": [KEY]}, {"api_key": None}):
        with pytest.raises(OptionError) as wrong:
            call_loader("model 'service'", load, None, options)
        assert KEY not in printed(wrong.value)


def raises(message: str, *, cause: bool, error: type[Exception]) -> Callable[..., None]:
    def load(argument: str | None, *, api_key: SecretStr) -> None:
        shown = message.format(api_key.get_secret_value())
        if not cause:
            raise error(shown)
        try:
            raise ValueError(shown)
        except ValueError as refusal:
            raise error("the service refused") from refusal

    return load


@pytest.mark.parametrize("cause", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, AudioError])
@pytest.mark.parametrize("message", ["incorrect key {}", "incorrect key {!r}"])
@pytest.mark.parametrize("key", [KEY, "quote ' and \" and \\ and \n"])
def test_errors_of_a_backend_show_its_secrets_neither_quoted_nor_in_causes(
    key: str, message: str, error: type[Exception], cause: bool
) -> None:
    with pytest.raises(BackendError) as raised:
        call_loader("model 'service'", raises(message, cause=cause, error=error), None, {"api_key": key})
    for form in (key, repr(key)[1:-1], repr(repr(key))[1:-1]):
        assert form not in printed(raised.value)


def test_secrets_in_lists_and_mappings_are_hidden_too() -> None:
    def refuse(argument: str | None, *, keys: list[SecretStr], named: dict[str, SecretStr] | None = None) -> None:
        secrets = [*keys, *(named or {}).values()]
        raise ValueError(f"incorrect keys {[one.get_secret_value() for one in secrets]}")

    with pytest.raises(BackendError, match=r"incorrect keys \['\*\*\*', '\*\*\*'\]") as raised:
        call_loader("model 'service'", refuse, None, {"keys": [KEY], "named": {"a": KEY + "2"}})
    assert KEY not in printed(raised.value)
    for options in ({"keys": KEY}, {"keys": [{"a": KEY}]}, {"keys": [], "named": KEY}):
        with pytest.raises(OptionError) as wrong:
            call_loader("model 'service'", refuse, None, options)
        assert KEY not in printed(wrong.value)


def test_an_empty_secret_leaves_messages_readable() -> None:
    with pytest.raises(BackendError, match="failed to load: RuntimeError"):
        call_loader("model 'service'", raises("no key", cause=False, error=RuntimeError), None, {"api_key": ""})


def test_a_variable_is_found_inside_an_optional_annotation(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(
        argument: str | None, *, api_key: Annotated[SecretStr, FromEnv("SERVICE_API_KEY")] | None = None
    ) -> str | None:
        return None if api_key is None else api_key.get_secret_value()

    monkeypatch.delenv("SERVICE_API_KEY", raising=False)
    assert call_loader("model 'service'", load, None, {}) is None
    monkeypatch.setenv("SERVICE_API_KEY", KEY)
    assert call_loader("model 'service'", load, None, {}) == KEY


def printed(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_failing_backend_is_named_and_its_error_is_the_cause() -> None:
    def broken(argument: str | None) -> None:
        raise TypeError("unexpected keyword argument 'x'")

    with pytest.raises(BackendError, match="model 'broken' failed to load: TypeError.*'x'") as raised:
        call_loader("model 'broken'", broken, None, {})
    assert isinstance(raised.value.__cause__, TypeError)
    with pytest.raises(OptionError, match="no option 'x'; it takes no options"):
        call_loader("model 'broken'", broken, None, {"x": 1})

    def missing(argument: str | None) -> None:
        raise MissingExtra("this", "local")

    with pytest.raises(MissingExtra):
        call_loader("model 'missing'", missing, None, {})


def test_a_loader_with_any_options_gets_them_unchecked() -> None:
    def loose(argument: str | None, *, count: int = 1, **others: Any) -> tuple[int, dict[str, Any]]:
        return count, others

    assert call_loader("model 'loose'", loose, None, {"count": "2", "anything": "3"}) == (2, {"anything": "3"})


def test_a_class_and_an_object_can_be_loaders() -> None:
    class Model:
        def __init__(self, argument: str | None, *, count: int = 1) -> None:
            self.count = count

    class Loader:
        def __call__(self, argument: str | None, *, count: int = 1) -> int:
            return count

    assert call_loader("model 'model'", Model, None, {"count": "2"}).count == 2
    loader: Callable[..., int] = Loader()
    assert call_loader("model 'model'", loader, None, {"count": "2"}) == 2


def test_options_are_listed_with_types_defaults_and_variables() -> None:
    options = {option.name: option for option in Signature.of(load).options}
    assert list(options)[:3] == ["address", "api_key", "bits"]
    key = options["api_key"]
    assert (key.required, key.secret, key.variable, key.type) == (True, True, "SERVICE_API_KEY", "secret")
    language = options["language"]
    assert (language.required, language.default, language.type, language.may_be_none) == (False, "zh", "zh | en", False)
    assert (options["folder"].type, options["folder"].may_be_none) == ("Path | none", True)


def test_annotations_that_cannot_be_resolved_are_named() -> None:
    def lost(argument: str | None, *, x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(BackendError, match="annotations of .*lost.* cannot be resolved: name 'Nowhere'"):
        call_loader("model 'lost'", lost, None, {})


@given(st.floats(allow_nan=False) | st.text() | st.booleans() | st.none() | st.binary() | st.lists(st.integers()))
def test_any_value_is_converted_or_refused_with_an_option_error(value: Any) -> None:
    def load(argument: str | None, *, speed: float | None = None) -> float | None:
        return speed

    (option,) = Signature.of(load).options
    assert isinstance(option, Option)
    try:
        converted = option.convert(value)
    except OptionError as error:
        assert "speed" in str(error)
    else:
        assert converted is None or isinstance(converted, float)


def test_installed_models_take_their_options_by_name(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('["One."]')
    loaded = load_model(f"scripted:{script}", delay_s="0.0", loop="no")
    assert isinstance(loaded, Scripted)
    with pytest.raises(OptionError, match="no option 'delays'; did you mean 'delay_s'"):
        load_model("scripted", delays=1)
    with pytest.raises(OptionError, match="'embedded': there is no option 'x'; known: max_request_chars, threads"):
        load_model("embedded", x=1)
    with pytest.raises(ModelNotFound, match="did you mean 'scripted'"):
        load_model("scriptd")
