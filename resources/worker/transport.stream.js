import { HttpSocket } from './transport.http.js';

/**
 * Frames from the relay come as Server-Sent Events. EventSource would hide why it failed, and would try again by itself.
 */
export class StreamSocket extends HttpSocket {
	async run() {
		this.event = {};
		const response = await this.request( 'stream' );
		const reader = response.body.getReader();
		const decoder = new TextDecoder();
		let rest = '';
		for ( ;; ) {
			const { done, value } = await reader.read();
			if ( done ) {
				throw new Error( 'the stream has ended' );
			}
			const lines = ( rest + decoder.decode( value, { stream: true } ) ).split( '\n' );
			rest = lines.pop();
			for ( const line of lines ) {
				this.read( line );
			}
		}
	}

	read( line ) {
		if ( line ) {
			// Of what may break a line in JavaScript only "\n" does so here.
			const [ , name, text ] = /^([^:]*):? ?([^]*)/.exec( line );
			this.event[ name ] = text;
		} else if ( this.event.data !== undefined ) {
			this.obey( this.event );
			this.event = {};
		}
	}

	obey( { event, data } ) {
		if ( !event ) {
			this.heard( data );
		} else if ( event === 'open' ) {
			this.opened( JSON.parse( data ).key );
		} else if ( event === 'ping' ) {
			this.send( '{"op":"ping"}' );
		} else if ( event === 'close' ) {
			const { code, reason } = JSON.parse( data );
			this.closed( code, reason );
		}
	}
}
