"""Physics Preserver: keep the motion, change everything else. This file is ComfyUI's door."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    from .nodes.comfy import PhysicsPreserver

    return PhysicsPreserver()
