"""A custom node for tests: a generator whose physics is right, but for some frames when it runs with one seed."""

import comfy.latent_formats
import comfy.sample
import torch
from comfy_api.latest import ComfyExtension, io

TINT = (0.9, 1.0, 0.8)


class StubVAE:
    """Gives back what it was shown, tinted; with one seed some frames are displaced to the right.

    A real VAE's shapes. It knows the seed by the noise, which `keep_noise` passes through the sampler.
    """

    def __init__(self, seed, start, stop, px):
        self.seed, self.start, self.stop, self.px = seed, start, stop, px
        self.shown = []

    def encode(self, pixels):
        self.shown = [*self.shown[-1:], pixels]  # WanVaceToVideo encodes what is kept, then what is generated
        frames, height, width = pixels.shape[:3]
        return torch.zeros(1, 16, (frames - 1) // 4 + 1, height // 8, width // 8)

    def decode(self, latent):
        kept, generated = self.shown
        images = (kept + generated - 0.5) * torch.tensor(TINT)
        noise = comfy.sample.prepare_noise(latent, self.seed)
        if torch.allclose(latent, comfy.latent_formats.Wan21().process_out(noise), atol=1e-3):
            images[self.start : self.stop] = images[self.start : self.stop].roll(self.px, dims=2)
        return images[None]


def keep_noise(apply_model, args):
    """In place of the network: says that what it was given is the picture already."""
    return args["input"]


class StubGenerator(io.ComfyNode):
    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TEST_StubGenerator",
            category="tests",
            inputs=[
                io.Model.Input("model"),
                io.Int.Input("seed"),
                io.Int.Input("start"),
                io.Int.Input("stop"),
                io.Int.Input("px"),
            ],
            outputs=[io.Model.Output(), io.Vae.Output()],
        )

    @classmethod
    def execute(cls, model, seed, start, stop, px):
        stub = model.clone()
        stub.set_model_unet_function_wrapper(keep_noise)
        return io.NodeOutput(stub, StubVAE(seed, start, stop, px))


class TestNodes(ComfyExtension):
    async def get_node_list(self):
        return [StubGenerator]


async def comfy_entrypoint():
    return TestNodes()
