// Where things lie in the graph editor; runs in the page.

/** [left, top, right, bottom] of each node, title and all, as it is drawn, and of each group, in the graph's px. */
export function layout() {
  const { graph, canvas } = window.app;
  const { scale, offset } = canvas.ds;
  const { left, top } = canvas.canvas.getBoundingClientRect();
  const drawnByVue = (id) => {
    const box = document.querySelector(`[data-node-id="${id}"]`)?.getBoundingClientRect();
    if (!box?.width) return undefined;
    const [x, y] = [(box.left - left) / scale - offset[0], (box.top - top) / scale - offset[1]];
    return [x, y, x + box.width / scale, y + box.height / scale];
  };
  const onCanvas = ({ pos, size }) => [pos[0], pos[1] - 30, pos[0] + size[0], pos[1] + size[1]];
  return {
    nodes: graph.nodes.map((node) => ({ title: node.title, box: drawnByVue(node.id) ?? onCanvas(node) })),
    groups: graph.groups.map(({ title, pos, size }) => ({
      title,
      box: [pos[0], pos[1], pos[0] + size[0], pos[1] + size[1]],
    })),
  };
}
