"""From a request and what was read off its prompt to a plan. Decides everything, touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from prysm.core.plan import Plan
from prysm.errors import InvalidRequest, NoProviderAvailable, NotFound
from prysm.planner import budget, deadline, routing, table
from prysm.planner.crew import Crew, Situation, muster
from prysm.planner.options import refuse_unread, unread
from prysm.planner.pool import is_named, narrow
from prysm.registry.value import rank, strongest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prysm.core.model import Model
    from prysm.core.plan import Alternative, ChatRequest, Policy, Profile, RoutingMode
    from prysm.registry.catalog import Catalog

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
        refuse_unread(request)
        situation = self._situation(request, profile)
        if not request.orchestrated:
            return self._finish(situation, *_one_model(situation))
        if request.strategy is None:
            return self._finish(situation, *_by_policy(situation))
        crew = muster(request.strategy, situation)
        return self._finish(situation, crew, f"Strategy {request.strategy} was asked for")

    def _situation(self, request: ChatRequest, profile: Profile) -> Situation:
        policy = self._policy(request.policy or "balanced")
        mode: RoutingMode = request.routing_mode
        if request.orchestrated:
            mode = MODE_OF_LEVEL[table.level(policy)]
        pool = narrow(self._candidates(request), request, profile, self.catalog.provider)
        return Situation(
            request=request,
            profile=profile,
            policy=policy,
            mode="direct" if request.pinned else mode,
            ranked=rank(pool.models, profile, mode),
            excluded=pool.excluded,
            unsuited=pool.unsuited,
            aggregator=self._live(request.aggregator, "aggregator") if request.aggregator else None,
            judge=self._live(request.judge, "judge_model") if request.judge else None,
        )

    def _finish(self, situation: Situation, crew: Crew, why: str) -> Plan:
        request, profile = situation.request, situation.profile
        crew, late = deadline.fit(crew, situation)
        crew, cap, dear = budget.fit(crew, request)
        unused = unread(request, crew.strategy) if request.orchestrated else ()
        said = (*crew.degraded, *late, *dear, *unused)
        fallbacks = self._fallbacks(situation, crew)
        return Plan(
            strategy=crew.strategy,
            policy=situation.policy,
            mode=situation.mode,
            profile=profile,
            models=crew.models,
            reason=_reason(why, crew, said),
            estimated=partial(budget.estimate, crew, fallbacks, request, profile, cap),
            forced=request.strategy is not None or request.pinned is not None,
            aggregator=crew.aggregator,
            judge=crew.judge,
            fallbacks=fallbacks,
            alternatives=_alternatives(situation, crew),
            baseline=strongest(situation.models, profile),
            samples=crew.samples,
            rounds=crew.rounds,
            layers=crew.layers,
            max_tokens=cap,
            degraded=tuple(dict.fromkeys(said)),
        )

    def _policy(self, name: str) -> Policy:
        try:
            return self.policies[name]
        except KeyError:
            known = ", ".join(self.policies)
            raise InvalidRequest(f"Unknown policy '{name[:64]}'. Use one of: {known}.", param="policy") from None

    def _candidates(self, request: ChatRequest) -> Sequence[Model]:
        named = (request.pinned,) if request.pinned is not None else tuple(dict.fromkeys(request.models))
        param = "model" if request.pinned is not None else "models"
        return tuple(self._live(name, param) for name in named) or self.catalog.pool()

    def _live(self, name: str, param: str = "model") -> Model:
        """A model the caller named; raises `NotFound` when unknown, `NoProviderAvailable` when not live."""
        model = self._get(name, param)
        if not self.catalog.is_live(model):
            spec = self.catalog.provider(model.provider)
            fix = f"set {spec.api_key_env}" if spec.api_key_env and not spec.usable else "see GET /v1/models"
            raise NoProviderAvailable(f"The model '{name}' is known but not live: {fix}.", param=param)
        return model

    def _get(self, name: str, param: str) -> Model:
        try:
            return self.catalog.get(name)
        except NotFound as error:
            error.param = param
            raise

    def _fallbacks(self, situation: Situation, crew: Crew) -> tuple[Model, ...]:
        """Ordered targets for when a lone model fails: the caller's, the operator's, else the next best."""
        request, first = situation.request, crew.models[0]
        asked = [self._get(name, "fallback") for name in request.fallback]
        if crew.strategy != "single":
            return ()
        chain = () if request.models else self.fallbacks.get(first.id, ())
        models = asked or [self.catalog.get(name) for name in chain]
        if models:
            return tuple(model for model in models if self.catalog.is_live(model) and model is not first)
        if request.models:
            return tuple(model for model in situation.models if model is not first)
        if is_named(request):
            return ()
        return tuple(model for model in situation.models if model not in crew.models)[:MOST_FALLBACKS]


def _alternatives(situation: Situation, crew: Crew) -> tuple[Alternative, ...]:
    """Why each other model lost, where one model was chosen from many."""
    if crew.strategy != "single":
        return ()
    chosen = next(row for row in situation.ranked if row.model is crew.models[0])
    return routing.alternatives(situation.ranked, chosen, situation.excluded, situation.profile)


def _one_model(situation: Situation) -> tuple[Crew, str]:
    """The model the caller named, or the best value."""
    best = situation.ranked[0]
    if situation.mode == "direct":
        return Crew("single", (best.model,), ""), f"{best.model.display} was named by the caller"
    return Crew("single", (best.model,), ""), routing.why(best, situation.profile, situation.mode)


def _by_policy(situation: Situation) -> tuple[Crew, str]:
    """The table's choice."""
    policy = situation.policy
    strategy, row = table.auto_strategy(policy, situation.profile)
    return muster(strategy, situation), f"Policy {policy.id}, {row}"


def _reason(why: str, crew: Crew, said: tuple[str, ...]) -> str:
    """Why this plan, who does what in it, and what it was cut to."""
    limits = [limit for note, limit in _CUT_TO.items() if note in said]
    whole = f"{why}: {crew.note}." if crew.note else f"{why}."
    return f"{whole} Cut to fit {' and '.join(limits)}." if limits else whole


_CUT_TO: Mapping[str, str] = MappingProxyType(
    {"narrowed_to_deadline": "deadline_s", "narrowed_to_budget": "max_cost_usd"}
)
