import { formatTime } from './summary.js';

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text]
 * @return {HTMLElement}
 */
function element( name, className, text ) {
	const node = document.createElement( name );
	node.className = className;
	node.textContent = text || '';
	return node;
}

function link( className, href, text ) {
	const a = element( 'a', className, text );
	a.href = href;
	return a;
}

function sentence( summary ) {
	const time = formatTime( summary.time, mw.config.get( 'wgUserLanguage' ), new Date() );
	switch ( summary.kind ) {
		case 'deleted':
			return mw.message( 'websocket-live-deleted', summary.user, time ).text();
		case 'restored':
			return mw.message( 'websocket-live-restored', summary.user, time ).text();
		case 'moved':
			return mw.message( 'websocket-live-moved', summary.user, summary.target ).text();
	}
	return summary.count > 1 ?
		mw.message( 'websocket-live-edited-many', summary.count, summary.user, time ).text() :
		mw.message( 'websocket-live-edited', summary.user, time ).text();
}

/**
 * The bar above the page's text. It is empty, and takes no room, until there is something to say; screen readers have to know a live region
 * before its text changes.
 */
export class Bar {
	constructor() {
		this.region = element( 'div', 'ext-websocket-live' );
		this.region.setAttribute( 'role', 'status' );
		this.region.setAttribute( 'aria-live', 'polite' );
		const body = document.querySelector( '#bodyContent, .mw-body-content' );
		if ( body ) {
			body.insertBefore( this.region, body.firstChild );
		} else {
			mw.util.$content[ 0 ].parentNode.insertBefore( this.region, mw.util.$content[ 0 ] );
		}
	}

	/**
	 * @param {Object} summary See fold()
	 * @param {number} revision The revision that the page shows
	 */
	show( summary, revision ) {
		const bar = element( 'div', 'ext-websocket-live-bar' );
		bar.setAttribute( 'role', 'group' );
		bar.setAttribute( 'aria-label', mw.message( 'websocket-live-label' ).text() );
		bar.appendChild( element( 'span', 'ext-websocket-live-text', sentence( summary ) ) );
		if ( summary.kind === 'edited' ) {
			bar.appendChild( link( 'ext-websocket-live-changes',
				mw.util.getUrl( null, { diff: summary.rev, oldid: revision } ),
				mw.message( 'websocket-live-show-changes' ).text() ) );
		}
		bar.appendChild( this.reloadLink( summary ) );
		const dismiss = element( 'button', 'ext-websocket-live-dismiss', '×' );
		dismiss.type = 'button';
		dismiss.title = mw.message( 'websocket-live-dismiss' ).text();
		dismiss.setAttribute( 'aria-label', dismiss.title );
		// What happens next brings it back, with all changes since the page was loaded.
		dismiss.addEventListener( 'click', () => this.region.replaceChildren() );
		bar.appendChild( dismiss );
		this.region.replaceChildren( bar );
	}

	reloadLink( summary ) {
		const isElsewhere = summary.kind === 'moved' && summary.target !== '';
		const a = link( 'ext-websocket-live-reload', isElsewhere ? mw.util.getUrl( summary.target ) : location.href,
			mw.message( 'websocket-live-reload' ).text() );
		if ( !isElsewhere ) {
			a.addEventListener( 'click', ( event ) => {
				// With a fragment in the address the link alone would only scroll.
				event.preventDefault();
				location.reload();
			} );
		}
		return a;
	}
}
