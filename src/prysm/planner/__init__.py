"""From a request and what was read off its prompt to a plan. Decides everything, touches nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.chat import Message, Sampling
from prysm.core.plan import Plan
from prysm.errors import InvalidRequest, NoProviderAvailable, NotFound, RateLimited, UnsupportedParameter
from prysm.planner import budget, deadline, routing, table
from prysm.planner.allowed import allowed, allowed_strategy, check_strategy
from prysm.planner.crew import Crew, Situation, muster
from prysm.planner.embeddings import embedding_plan
from prysm.planner.options import refuse_unread, unread
from prysm.planner.pool import is_named, judged, narrow, refused
from prysm.registry.value import rank, strongest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from prysm.core.model import Model
    from prysm.core.plan import Alternative, ChatRequest, Policy, Profile, RoutingMode
    from prysm.core.provider import ProviderSpec
    from prysm.registry.catalog import Catalog

    Unfit: TypeAlias = tuple[tuple[Model, str], ...]

MODE_OF_LEVEL: Mapping[table.Level, RoutingMode] = MappingProxyType(
    {"efficiency": "agility", "balanced": "balanced", "depth": "quality"}
)
MOST_FALLBACKS = 2


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans over a catalog. `fallbacks` are the operator's chains: model id to ids, in order."""

    catalog: Catalog
    policies: Mapping[str, Policy]
    fallbacks: Mapping[str, tuple[str, ...]]

    def plan(self, request: ChatRequest, profile: Profile) -> Plan:
        """Decide strategy, models and caps; raises when nothing live can take the request."""
        if request.embed is not None:
            return embedding_plan(
                request, profile, self._embedders(request), self.catalog, self._policy("balanced")
            )
        if request.strategy is not None:
            refuse_unread(request, request.strategy)
            situation = self._situation(request, profile)
            crew = muster(request.strategy, situation)
            return self._finish(situation, crew, f"Strategy {request.strategy} was asked for")
        situation = self._situation(request, profile)
        return self._finish(situation, *(_one_model if request.policy is None else _by_policy)(situation))

    def _situation(self, request: ChatRequest, profile: Profile) -> Situation:
        policy = self._policy(request.policy or "balanced")
        mode = MODE_OF_LEVEL[table.level(policy)] if request.orchestrated else request.routing_mode
        pool = narrow(self._candidates(request), request, profile, self.catalog.provider)
        return Situation(
            request,
            profile,
            policy,
            "direct" if request.pinned else mode,
            rank(pool.models, profile, mode),
            pool.excluded,
            self._aggregator(request, profile) if request.aggregator else None,
            self._judge(request, profile) if request.judge else None,
            pool.unsuited,
        )

    def _finish(self, situation: Situation, crew: Crew, why: str) -> Plan:
        request, profile, models = situation.request, situation.profile, situation.models
        late: tuple[str, ...] = ()
        if request.allowed_strategies is not None:
            check_strategy(crew.strategy, request.allowed_strategies)
        if request.deadline_s is not None:
            crew, late = deadline.fit(crew, situation, request.deadline_s)
        crew, cap, dear = budget.fit(crew, request)
        said = (*crew.degraded, *late, *dear, *unread(request, crew))
        fallbacks, unfit = self._fallbacks(situation, crew, models)
        return Plan(  # by position, in the order of its fields: names take longer than all the rest
            crew.strategy,
            situation.policy,
            situation.mode,
            profile,
            crew.models,
            _reason(why, crew, said),
            partial(budget.estimate, crew, fallbacks, request, profile, cap),
            request.strategy is not None or request.pinned is not None,
            crew.aggregator,
            crew.judge,
            fallbacks,
            _alternatives(situation, crew, unfit),
            strongest(models, profile),
            crew.samples,
            crew.rounds,
            crew.layers,
            cap,
            tuple(dict.fromkeys(said)) if said else (),
        )

    def _policy(self, name: str) -> Policy:
        try:
            return self.policies[name]
        except KeyError:
            known = ", ".join(self.policies)
            raise InvalidRequest(f"Unknown policy '{name[:64]}'. Use one of: {known}.", param="policy") from None

    def _candidates(self, request: ChatRequest) -> Sequence[Model]:
        if request.pinned is not None:
            if request.models and set(request.models) != {request.pinned}:
                raise InvalidRequest(
                    "'models' names others than 'model': leave out 'models', or ask 'auto' or 'prysm/…' for its choice "
                    "of them.",
                    param="models",
                )
            model = self._get(request.pinned, "model")
            if self.catalog.is_live(model) or self._has_stand_in(model, request):
                return (model,)
            return (self._live(request.pinned),)
        named = tuple([self._live(name, "models") for name in dict.fromkeys(request.models)])
        live = named or self.catalog.pool()
        found = allowed(live, request)
        if live and not found:
            raise NoProviderAvailable("None of the models that this key allows is live: see GET /v1/models.")
        if not found and self.catalog.retry_at is not None:
            raise _held_back(self._why_none(), self.catalog.retry_at, limited=self.catalog.limited)
        return found

    def _why_none(self) -> str:
        refused = [_refused_key(spec) for spec in self.catalog.providers if self.catalog.key_refused(spec.id)]
        why = "; ".join(refused) or "they kept failing"
        return f"Every model that could answer is left alone: {why}"

    def _embedders(self, request: ChatRequest) -> Sequence[Model]:
        """The model that was named, held back by a breaker or not if a twin can stand in, or all that are live."""
        if request.pinned is None:
            return allowed(self.catalog.embedders(), request)
        model = self._get(request.pinned, "model", embeds=True)
        twins = any(other.upstream == model.upstream for other in self.catalog.embedders())
        return (model if twins else self._live(request.pinned, embeds=True),)

    def _has_stand_in(self, model: Model, request: ChatRequest) -> bool:
        """Whether the pinned model is only held back by its breaker, and there are others to answer for it.

        The breaker then fails the call at once, and that is on record.
        """
        if self.catalog.standing(model).live:
            return False
        chain = request.fallback or self.fallbacks.get(model.id, ())
        return any(self.catalog.is_live(self._get(name, "fallback")) for name in chain)

    def _live(self, name: str, param: str = "model", *, embeds: bool = False) -> Model:
        """A model the caller named; raises `NotFound` when unknown, `NoProviderAvailable` when not live."""
        model = self._get(name, param, embeds=embeds)
        if not self.catalog.is_live(model):
            spec, standing = self.catalog.provider(model.provider), self.catalog.standing(model)
            if standing.retry_at is not None:
                why = "kept failing and is left alone"
                if self.catalog.key_refused(spec.id):
                    why = f"is left alone: {_refused_key(spec)}"
                elif standing.limited:
                    why = "is left alone: its provider is limiting the rate"
                raise _held_back(f"The model '{name}' {why}", standing.retry_at, param, limited=standing.limited)
            fix = f"set {spec.api_key_env}" if spec.api_key_env and not spec.usable else "see GET /v1/models"
            raise NoProviderAvailable(f"The model '{name}' is known but not live: {fix}.", param=param)
        return model

    def _aggregator(self, request: ChatRequest, profile: Profile) -> Model:
        """The model that the caller named to write the answer, if it can take all that the answer is to be."""
        return self._helper(request.aggregator or "", "aggregator", request, profile)

    def _judge(self, request: ChatRequest, profile: Profile) -> Model:
        """The model that the caller named to judge: it reads texts, and nothing of the answer's form concerns it."""
        shown = replace(
            request,
            messages=(Message("user", "Which is better?"),),
            sampling=Sampling(max_tokens=request.sampling.max_tokens),
            toolbox=None,
            response_format=None,
        )
        return self._helper(request.judge or "", "judge_model", shown, profile)

    def _helper(self, name: str, param: str, request: ChatRequest, profile: Profile) -> Model:
        model = self._live(name, param)
        [(_, why)] = judged([model], request, profile, self.catalog.provider, named=True)
        if why is not None:
            raise UnsupportedParameter(
                f"'{param}': {model.id} cannot take this request: {why.reason}. Name another model, or change it: "
                f"{why.fix[0].lower()}{why.fix[1:]}.",
                param=param,
            )
        return model

    def _get(self, name: str, param: str, *, embeds: bool = False) -> Model:
        """A model the caller named, live or not; raises when it is unknown or of the other kind."""
        try:
            model = self.catalog.get(name)
        except NotFound as error:
            error.param = param
            raise
        if model.embeds != embeds:
            raise _of_the_other_kind(model, param)
        return model

    def _fallbacks(
        self, situation: Situation, crew: Crew, pool: tuple[Model, ...]
    ) -> tuple[tuple[Model, ...], Unfit]:
        """Ordered targets for when a lone model fails: the caller's, the operator's, else the next best of the pool.

        Beside them those of the operator's that cannot take the request; one of the caller's raises.
        """
        request, first = situation.request, crew.models[0]
        asked = [self._get(name, "fallback") for name in request.fallback]
        if crew.strategy != "single":
            return (), ()
        chain = () if request.models else self.fallbacks.get(first.id, ())
        if asked or chain:
            others = allowed(asked or [self.catalog.get(name) for name in chain], request)
            return self._able([m for m in others if m is not first and not m.embeds], situation)
        if request.models:
            return tuple(model for model in pool if model is not first), ()
        if is_named(request) or len(pool) == 1:
            return (), ()
        return tuple(model for model in pool if model not in crew.models)[:MOST_FALLBACKS], ()

    def _able(self, models: Sequence[Model], situation: Situation) -> tuple[tuple[Model, ...], Unfit]:
        """Those of a chain that are live and can take the request, and those that cannot, with the reason."""
        request, profile = situation.request, situation.profile
        found = judged(models, request, profile, self.catalog.provider, named=True)
        unfit = [(model, why) for model, why in found if why is not None]
        if unfit and request.fallback:
            raise refused(unfit, profile)
        able = tuple(model for model, why in found if why is None and self.catalog.is_live(model))
        return able, tuple((model, f"as a fallback: {why.reason}") for model, why in unfit)


def _of_the_other_kind(model: Model, param: str) -> InvalidRequest:
    what = "makes embeddings: /v1/embeddings takes" if model.embeds else "makes no embeddings: /v1/models lists"
    return InvalidRequest(f"The model '{model.id}' {what} those that do. Name another model here.", param=param)


def _refused_key(spec: ProviderSpec) -> str:
    env = f" in {spec.api_key_env}" if spec.api_key_env else ""
    return f"the provider '{spec.id}' refused its API key; check the key{env}"


def _held_back(
    what: str, retry_at: float, param: str | None = None, *, limited: bool = False
) -> NoProviderAvailable | RateLimited:
    """What a caller is told of models that breakers hold back; 429 where they do so for the provider's own 429s."""
    wait = max(0.0, retry_at - time.monotonic())
    message = f"{what}. It is tried again in {ceil(wait)} s; ask then, or name another model."
    if not limited:
        return NoProviderAvailable(message, param=param, retry_after_s=wait)
    error = RateLimited(message, param=param)
    error.retry_after_s = wait
    return error


def _alternatives(situation: Situation, crew: Crew, unfit: Unfit) -> tuple[Alternative, ...]:
    """Why each other model lost, where one model was chosen from many, or cannot stand in for it."""
    if crew.strategy != "single" or len(situation.ranked) + len(situation.excluded) + len(unfit) == 1:
        return ()
    chosen = next(row for row in situation.ranked if row.model is crew.models[0])
    known = {model.id for model, _ in situation.excluded}
    excluded = (*situation.excluded, *(row for row in unfit if row[0].id not in known))
    return routing.alternatives(situation.ranked, chosen, excluded, situation.profile)


def _one_model(situation: Situation) -> tuple[Crew, str]:
    """The model the caller named, or the best value."""
    best = situation.ranked[0]
    if situation.mode == "direct":
        return Crew("single", (best.model,), ""), f"{best.model.display} was named by the caller"
    return Crew("single", (best.model,), ""), routing.why(best, situation.profile, situation.mode)


def _by_policy(situation: Situation) -> tuple[Crew, str]:
    """The table's choice."""
    policy = situation.policy
    strategy, row = allowed_strategy(*table.auto_strategy(policy, situation.profile), situation.request)
    return muster(strategy, situation), f"Policy {policy.id}, {row}"


def _reason(why: str, crew: Crew, said: tuple[str, ...]) -> str:
    """Why this plan, who does what in it, and what it was cut to."""
    whole = f"{why}: {crew.note}." if crew.note else f"{why}."
    if not said:
        return whole
    limits = [limit for note, limit in _CUT_TO.items() if note in said]
    return f"{whole} Cut to fit {' and '.join(limits)}." if limits else whole


_CUT_TO: Mapping[str, str] = MappingProxyType(
    {"narrowed_to_deadline": "deadline_s", "narrowed_to_budget": "max_cost_usd"}
)
