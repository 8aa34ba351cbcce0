import { Component, type ComponentType, h, type VNode } from "preact";

/** Draws a component again only when one of its properties is another value. */
export function memo<P extends object>(Inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    override shouldComponentUpdate(next: Readonly<P>): boolean {
      const names = Object.keys(next) as (keyof P)[];
      return names.some((name) => next[name] !== this.props[name]);
    }

    render(): VNode {
      return h(Inner as ComponentType<object>, this.props);
    }
  };
}
