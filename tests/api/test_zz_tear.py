import time, sys
sys.path.insert(0, "/work/main"); sys.path.insert(0, "/work/main/tests")
from pathlib import Path
from tests.serving import served, SANDBOX
import pytest, asyncio
import prysm.store.database as d
import prysm.gateway as g
import uvicorn

def wrap(cls, name):
    orig = getattr(cls, name)
    async def f(self, *a, **k):
        t=time.monotonic()
        try: return await orig(self,*a,**k)
        finally: print(cls.__name__, name, time.monotonic()-t)
    setattr(cls, name, f)
wrap(d.Database,"close"); wrap(d.GroupCommitter,"close"); wrap(g.Gateway,"close"); wrap(uvicorn.Server,"shutdown"); wrap(uvicorn.Server, "_wait_tasks_to_complete")
from prysm.store.embedded import EmbeddedPostgres
o=EmbeddedPostgres.stop
def st(self):
    t=time.monotonic(); o(self); print("pg stop", time.monotonic()-t)
EmbeddedPostgres.stop=st
@pytest.mark.parametrize("what",["none","chat","proof","stream", "many"])
def test_x(tmp_path, database_url, what):
    with served(tmp_path, SANDBOX, database_url) as gw:
        if what=="chat": gw.chat()
        if what=="proof": gw.http.get("/v1/proof/"+gw.chat().json()["id"])
        if what=="stream": gw.chat(stream=True)
        if what=="many":
          for i in range(30): gw.proof(gw.chat().json()["id"])
        t=time.monotonic()
    print("stop",what, time.monotonic()-t)
